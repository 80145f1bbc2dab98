"""The documents as a site: `make docs`. Pages are the Markdown files here; those of the API are made of docstrings."""

import os
import re
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent
WORKFLOW = HERE.parent / "workflow"

project = "Interference"
author = "The Interference authors"
release = version_of("interference")
extensions = ["myst_nb", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = "Interference"
exclude_patterns = ["_build"]

# Pages are GitHub's: headings are anchors, and the notebook is shown as it was executed.
myst_heading_anchors = 3
nb_execution_mode = "off"

# `make links` opens what is linked, but what turns robots away: publishers, to whom a DOI leads.
linkcheck_ignore = [r"https://doi\.org/"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"

_CODE = re.compile(r"(``[^`]+``|`[^`]+`)")
#: The first line on an argument, a field or an error: its name, or several, then a colon.
_NAMED = re.compile(r"[\w*.]+(, [\w*.]+)*: ")


def escaped(line: str) -> str:
    """A line of a docstring as reStructuredText: code stays code, and nothing else is markup."""
    parts = _CODE.split(line)
    codes = [f"``{part.strip('`')}``" for part in parts[1::2]]
    texts = [re.sub(r"([\\*|_`])", r"\\\1", part) for part in parts[::2]]
    pairs = zip(texts, [*(f"{code}\\ " for code in codes), ""], strict=True)
    return "".join(text + code for text, code in pairs)


def paragraphs(lines: list[str]) -> list[list[str]]:
    """The lines between empty lines."""
    found: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [part for part in found if part]


def as_restructured_text(app, what, name, obj, options, lines: list[str]) -> None:
    """Docstrings are plain text, a line or more on each argument; sets what is indented apart as it is."""
    text: list[str] = []
    for part in paragraphs(lines):
        if all(line.startswith(" ") for line in part):
            text += ["::", "", *(f"  {line}" for line in part), ""]
            continue
        items: list[str] = []
        for line in part:
            if not items or _NAMED.match(line):
                items.append(line.strip())
            else:
                items[-1] += f" {line.strip()}"
        named = any(_NAMED.match(item) for item in items)
        text += [f"| {escaped(item)}" if named else escaped(item) for item in items] + [""]
    lines[:] = text


PUBLISHED = {
    "toy-full": "Toy models",
    "canvas": "Canvases",
    "rivals": "Rivals",
    "fashion": "ResNet-18",
}


def caption(name: str) -> str:
    """A figure's caption in the report, of the figure that is called so, such as fvu-layer2."""
    figure, _, which = name.partition("-")
    text = (WORKFLOW / "report" / f"{figure}_figure.rst").read_text(encoding="utf-8")
    text = re.sub(r"{%.*?%}", "", re.sub(r"{{.*?}}", which, text))
    return " ".join(text.split())


def gallery(app, docname: str, source: list[str]) -> None:
    """Adds every published figure to the gallery."""
    if docname != "gallery":
        return
    for experiment, title in PUBLISHED.items():
        source[0] += f"\n{title}\n{'-' * len(title)}\n"
        for path in sorted((WORKFLOW / "published" / experiment).glob("*.png")):
            place = f"../workflow/published/{experiment}/{path.name}"
            source[0] += f"\n.. figure:: {place}\n   :alt: {path.stem}\n\n   {caption(path.stem)}\n"


def relinked(text: str, folder: Path) -> str:
    """Links of a page in a folder of the clone, for the site: those to its pages lead there, pictures
    come with it, and what else is linked is in the clone alone and stays as text."""

    def one(link: re.Match) -> str:
        picture, words, target = link.groups()
        place, _, heading = target.partition("#")
        if re.match(r"\w+:", target) or not place:
            return link[0]
        path = (folder / place).resolve()
        if picture:
            return f"![{words}]({os.path.relpath(path, HERE)})"
        name = "index.md" if path == HERE.parent / "README.md" else path.name
        if path.parent == HERE or name == "index.md":
            return f"[{words}]({name}{'#' if heading else ''}{heading})"
        return words

    return re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", one, text)


def read(app, docname: str, source: list[str]) -> None:
    """The front page is README's; links are those of the site."""
    if docname == "index":
        readme = (HERE.parent / "README.md").read_text(encoding="utf-8")
        source[0] = f"{relinked(readme, HERE.parent)}\n{source[0]}"
    elif (HERE / f"{docname}.md").is_file():
        source[0] = relinked(source[0], HERE)


def setup(app) -> None:
    """Have docstrings, the gallery and links read so."""
    app.connect("autodoc-process-docstring", as_restructured_text)
    app.connect("source-read", gallery)
    app.connect("source-read", read)
