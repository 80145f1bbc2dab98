// Draws charts where they are shown, lists their numbers, filters verdicts, switches the theme.
"use strict";

const specs = JSON.parse((document.getElementById("charts") || { textContent: "{}" }).textContent);

// A chart in its place; values chosen for it replace those that its controls start with.
async function draw(figure) {
  if (figure.dataset.drawn) return;
  figure.dataset.drawn = "pending";
  const spec = structuredClone(specs[figure.dataset.chart]);
  const start = JSON.parse(figure.dataset.values || "{}");
  for (const control of spec.params || []) {
    if (control.name in start && (control.bind.options || []).includes(start[control.name])) {
      control.value = start[control.name];
    }
  }
  const narrow = { columns: 2, labelLimit: 150, labelFontSize: 11, columnPadding: 4 };
  if (figure.clientWidth < 500) {
    Object.assign(spec.config.legend, narrow);
    spec.config.title.fontSize = 11;
  }
  const { view } = await vegaEmbed(figure.querySelector(".view"), spec, {
    mode: "vega-lite", renderer: "svg", actions: false, tooltip: { theme: "page" }, logLevel: 1,
  });
  figure.dataset.drawn = "yes";
  const numbers = figure.querySelector(".numbers");
  const show = () => {
    const rows = chosen(view, spec);
    figure.querySelector(".empty").hidden = rows.length > 0;
    if (numbers.open) tabulate(numbers.querySelector(".scroll"), rows);
  };
  numbers.addEventListener("toggle", show);
  for (const control of spec.params || []) view.addSignalListener(control.name, show);
}

// The rows that the controls of a chart have chosen, of its largest data set.
function chosen(view, spec) {
  const [name] = Object.entries(spec.datasets).filter(([, data]) => typeof data === "string")
    .sort(([, a], [, b]) => b.length - a.length)[0];
  let rows = view.data(name);
  for (const control of spec.params || []) {
    if (rows.length && control.name in rows[0]) {
      // a number of a control is text in rows that are read of CSV
      rows = rows.filter((row) => `${row[control.name]}` === `${view.signal(control.name)}`);
    }
  }
  return rows;
}

// Rows as a table.
function tabulate(place, rows) {
  const columns = Object.keys(rows[0] || {});
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const column of columns) {
    const cell = head.appendChild(document.createElement("th"));
    cell.scope = "col";
    cell.textContent = column.replaceAll("_", " ");
  }
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const column of columns) line.insertCell().textContent = row[column] ?? "–";
  }
  place.replaceChildren(table);
}

// Charts of sections when they come near; those of verdicts when they are opened.
const near = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting) draw(entry.target);
  }
}, { rootMargin: "600px" });
for (const figure of document.querySelectorAll("figure.chart")) near.observe(figure);
// All others of sections when there is time, so that a print has them.
addEventListener("load", async () => {
  for (const figure of document.querySelectorAll("section > figure.chart")) {
    await new Promise((ready) => requestIdleCallback(ready));
    await draw(figure);
  }
});

// Verdicts: rows that fit stay, and claims that have one.
const filter = document.querySelector("form.filter");
function choose() {
  const wanted = Object.fromEntries(new FormData(filter));
  const words = wanted.words.toLowerCase().split(/\s+/).filter(Boolean);
  let rows = 0, claims = 0;
  for (const claim of document.querySelectorAll("details.verdict")) {
    const wording = claim.querySelector(".wording").textContent;
    let fitting = 0;
    for (const row of claim.querySelectorAll("tbody tr")) {
      const text = `${wording} ${row.textContent}`.toLowerCase();
      const fits = (!wanted.arm || wanted.arm === claim.dataset.arm)
        && ["verdict", "layer", "type"].every((key) => !wanted[key] || wanted[key] === row.dataset[key])
        && words.every((word) => text.includes(word));
      row.hidden = !fits;
      fitting += fits;
    }
    claim.hidden = !fitting;
    rows += fitting;
    claims += fitting > 0;
  }
  for (const title of document.querySelectorAll("h3.arm")) {
    let next = title.nextElementSibling;
    while (next && next.matches("details.verdict") && next.hidden) next = next.nextElementSibling;
    title.hidden = !(next && next.matches("details.verdict"));
  }
  filter.querySelector("output").textContent = `${claims} claims, ${rows} verdicts`;
}
if (filter) {
  filter.addEventListener("input", choose);
  filter.addEventListener("submit", (event) => event.preventDefault());
  choose();
}

// Theme: as the system has it, light, dark.
const themes = ["automatic", "light", "dark"];
const button = document.getElementById("theme");
button.addEventListener("click", () => {
  const theme = themes[(themes.indexOf(document.documentElement.dataset.theme || "automatic") + 1) % 3];
  document.documentElement.dataset.theme = theme;
  button.textContent = `Theme: ${theme}`;
});
