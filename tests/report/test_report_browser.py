"""The page in a real browser: what a reader with a mouse, a keyboard or a screen reader meets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.support import default
from tests.support.pages import PUBLISHED, composed, page_of, spec_of, tables_of, written

pytestmark = pytest.mark.xdist_group("pages")

#: Widths in pixels: a phone, a laptop, a wide screen.
WIDTHS = (390, 1280, 1920)
#: What the keyboard must reach: whatever can be used, and is shown.
USABLE = "a[href], button, select, input, summary, [tabindex='0']"  # as a selector of CSS
DRAWN = "figure => figure.dataset.drawn === 'yes'"
#: Marks of a chart: what of its drawing is no axis, grid or legend.
MARKS = "figure => figure.querySelectorAll('.role-mark path[d], .role-mark line').length"


@dataclass
class Opened:
    """A page in a browser, and what went wrong there.

    said: what the console has; asked: addresses that were requested beside the page's own.
    """

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def charts(self):
        """The charts of the sections, drawn."""
        figures = self.page.locator("section > figure.chart")
        for figure in figures.all():
            figure.scroll_into_view_if_needed()
            self.page.wait_for_function(DRAWN, arg=figure.element_handle())
        return figures.all()


def opened(browser: Browser, address: str, **options) -> Opened:
    """A page at an address, with ears open."""
    found = Opened(browser.new_page(viewport={"width": 1280, "height": 900}, **options))
    found.page.on("console", lambda message: found.said.append(message.text))
    found.page.on("pageerror", lambda error: found.said.append(str(error)))
    found.page.on("request", lambda request: found.asked.append(request.url))
    found.page.goto(address)
    found.asked = [url for url in found.asked if url != address and not url.startswith("data:")]
    return found


@pytest.fixture(scope="module", params=[*PUBLISHED, "default"])
def here(request, browser, tmp_path_factory) -> Iterator[Opened]:
    """The page of an experiment, or of tables of the default's shape, for all tests of it."""
    page = default.page() if request.param == "default" else page_of(request.param)
    address = written(page, tmp_path_factory.mktemp("page"))
    found = opened(browser, address)
    yield found
    found.page.close()


def test_it_opens_without_a_request_or_an_error_and_draws_every_chart(here):
    charts = here.charts()
    assert len(charts) >= 2
    for chart in charts:
        assert chart.evaluate(MARKS) >= 3, chart.get_attribute("id")
    assert (here.said, here.asked) == ([], [])


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_sticks_out_at_any_width(width, here):
    here.page.set_viewport_size({"width": width, "height": 900})
    here.charts()
    assert here.page.evaluate("document.documentElement.scrollWidth") <= width
    wide = "[...document.querySelectorAll('figure.chart svg')].filter(s => s.getBoundingClientRect().right > innerWidth)"
    assert here.page.evaluate(f"{wide}.length") == 0
    here.page.set_viewport_size({"width": 1280, "height": 900})


def look(chart) -> str:
    return chart.evaluate("figure => figure.querySelector('svg').outerHTML")


def test_every_control_of_every_chart_changes_it(here):
    for chart in here.charts():
        for control in chart.locator(".vega-bindings select").all():
            before, first = look(chart), control.input_value()
            others = control.evaluate("c => [...c.options].map(o => o.value)")
            others.remove(first)
            while look(chart) == before:
                assert others, (chart.get_attribute("id"), control.get_attribute("name"))
                control.select_option(others.pop())
                here.page.wait_for_timeout(50)
            control.select_option(first)
    assert here.said == []


def test_a_choice_without_rows_says_so(here):
    chart = here.charts()[0]
    assert chart.locator(".empty").is_hidden()
    for control in chart.locator(".vega-bindings select").all():
        control.evaluate("c => c.add(new Option('none', 'none'))")
        first = control.input_value()
        control.select_option("none")
        chart.locator(".empty").wait_for()
        control.select_option(first)
        chart.locator(".empty").wait_for(state="hidden")


def test_hovering_a_point_shows_its_number_with_interval_and_seeds(here):
    # a point of accuracies is of one network, and names it
    chart = next(c for c in here.charts() if c.get_attribute("data-chart") != "accuracy")
    chart.locator(".role-mark path").last.hover(force=True)
    here.page.wait_for_selector("#vg-tooltip-element.visible")
    shown = here.page.locator("#vg-tooltip-element").inner_text()
    for said in ("from", "to"):
        assert said in shown
    assert re.search(r"each seed\s+(network )?\d.*: -?\d", shown), shown
    here.page.mouse.move(0, 0)


def test_the_numbers_of_a_chart_are_a_table_too(here):
    chart = next(c for c in here.charts() if c.locator(".vega-bindings select").count())
    chart.locator(".numbers summary").click()
    rows = chart.locator(".numbers tbody tr")
    rows.first.wait_for()
    control = chart.locator(".vega-bindings select").first
    before, first = chart.locator(".numbers tbody").inner_text(), control.input_value()
    control.select_option(index=1)
    here.page.wait_for_timeout(100)
    assert chart.locator(".numbers tbody").inner_text() != before
    control.select_option(first)
    assert chart.locator(".numbers th[scope=col]").count() >= 4
    chart.locator(".numbers summary").click()


def test_a_choice_of_numbers_has_rows_too(browser, tmp_path):
    """Of k, where baselines have several."""
    tables = tables_of("fashion")
    baselines = pd.concat([tables["baselines"], tables["baselines"].assign(sparsity=32)])
    given = {"claims": tables["claims"].iloc[:0], "baselines": baselines}
    page = composed(spec_of("fashion"), given)
    found = opened(browser, written(page, tmp_path))
    (chart,) = found.charts()
    chart.locator(".numbers summary").click()
    for k in (1, 0):
        chart.locator(".vega-bindings select[name=sparsity]").select_option(index=k)
        chart.locator(".numbers tbody tr").first.wait_for()
        assert chart.locator(".empty").is_hidden()
    found.page.close()


def test_the_filter_leaves_what_fits_and_counts_it(here):
    page, form = here.page, here.page.locator("form.filter")
    rows = page.locator("details.verdict tbody tr")
    whole = rows.count()
    for verdict in form.locator("select[name=verdict] option").all_inner_texts()[1:]:
        form.locator("select[name=verdict]").select_option(verdict)
        left = page.locator("details.verdict tbody tr:not([hidden])")
        of = page.locator(f"details.verdict tbody tr[data-verdict='{verdict}']").count()
        assert left.count() == of
        assert form.locator("output").inner_text().endswith(f"{of} verdicts")
    form.locator("select[name=verdict]").select_option("")
    form.locator("input").fill("no such words")
    assert form.locator("output").inner_text() == "0 claims, 0 verdicts"
    assert page.locator("details.verdict:visible, h3.arm:visible").count() == 0
    form.locator("input").fill("")
    assert page.locator("details.verdict tbody tr:not([hidden])").count() == whole


def test_a_verdict_opens_by_keyboard_to_its_chart_and_command(here):
    claim = here.page.locator("details.verdict").first
    claim.locator("summary").first.focus()
    here.page.keyboard.press("Enter")
    chart = claim.locator("figure.chart")
    chart.scroll_into_view_if_needed()
    here.page.wait_for_function(DRAWN, arg=chart.element_handle())
    assert chart.evaluate(MARKS) >= 3
    assert "snakemake --cores all --force" in claim.locator("pre").inner_text()


def test_the_keyboard_reaches_whatever_can_be_used(here):
    here.charts()
    page = here.page
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    usable = page.locator(USABLE).evaluate_all(
        "all => all.filter(e => e.checkVisibility() || e.matches('.skip')).map((e, i) => (e.dataset.stop = i, i))"
    )
    reached = set()
    for _ in range(len(usable) + 5):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.dataset.stop"))
    assert {str(stop) for stop in usable} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(scheme, here):
    here.page.emulate_media(color_scheme=scheme)
    here.page.locator("details.verdict").first.evaluate("claim => claim.open = true")
    here.charts()
    found = Axe().run(here.page).response
    wrong = [(v["id"], [n["html"][:200] for n in v["nodes"][:3]]) for v in found["violations"]]
    assert wrong == []
    assert {"color-contrast", "select-name"} <= {rule["id"] for rule in found["passes"]}


def test_the_theme_can_be_switched_and_charts_follow(here):
    button, ground = here.page.locator("#theme"), "getComputedStyle(document.body).backgroundColor"
    here.page.emulate_media(color_scheme="light")
    looks = {}
    for _ in range(3):
        button.click()
        point = here.page.locator("figure.chart .role-mark path").last
        looks[button.inner_text()] = (
            here.page.evaluate(ground),
            point.evaluate("p => getComputedStyle(p).fill"),
        )
    assert looks.keys() == {"Theme: automatic", "Theme: light", "Theme: dark"}
    assert looks["Theme: automatic"] == looks["Theme: light"]
    for light, dark in zip(looks["Theme: light"], looks["Theme: dark"]):
        assert light != dark


def test_print_shows_charts_and_no_controls(here):
    here.page.emulate_media(media="print")
    assert here.page.locator("form.filter:visible, nav.contents:visible").count() == 0
    assert here.page.locator("section > figure.chart svg:visible").count() >= 2
    here.page.emulate_media(media="screen")


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
def test_the_page_of_a_whole_run_opens_with_graph_and_gallery(completed, browser):
    path = Path(completed.results / "report" / "page.html")
    found = opened(browser, path.as_uri())
    names = {chart.get_attribute("data-chart") for chart in found.charts()}
    assert {"toy", "toy-phase", "toy-graph", "dose", "accuracy", "l0", "defences"} <= names
    graph = found.page.locator("#chart-toy-graph")
    nodes = graph.evaluate(MARKS)
    graph.locator("select").select_option(index=0)
    found.page.wait_for_timeout(50)
    assert graph.evaluate(MARKS) != nodes
    picture = found.page.locator("figure.picture img")
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    for link in found.page.locator("a[href^='..'], a[href='snakemake.html']").all():
        address = link.get_attribute("href")
        assert address == "snakemake.html" or (path.parent / address).resolve().is_file(), address
    assert (found.said, found.asked) == ([], [])
    found.page.close()
