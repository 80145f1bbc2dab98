"""README and docs/: links lead somewhere, pages stay what they are for."""

import importlib.util
import re
from functools import cache

import pytest

from interference.config.load import read_config
from interference.plan.jobs import rules
from tests.support import REPO
from tests.support.documented import undocumented

#: The site's front is README itself, and what `docs/index.md` adds to it, a table of contents.
PAGES = [
    REPO / "README.md",
    *(page for page in sorted((REPO / "docs").glob("*.md")) if page.name != "index.md"),
]
#: [text](target) and ![picture](target), outside of code.
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def anchors(text: str) -> set[str]:
    """What a page's headings are called in links to them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_of_a_page_leads_to_a_file_and_a_heading_that_exist(page):
    prose = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in LINK.findall(prose):
        if re.match(r"\w+:", link):
            continue
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if heading:
            assert heading in anchors(target.read_text(encoding="utf-8")), link


def outside(page) -> list[tuple[str, str]]:
    """Words and address of each link of a page that leads elsewhere, outside of code."""
    prose = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"\[([^\]]*)\]\((\w+:[^)\s]+)\)", prose)


#: Addresses that have a form: what begins so → all of it.
FORMS = {
    "https://arxiv.org/": r"https://arxiv\.org/abs/\d\d(0[1-9]|1[0-2])\.\d{4,5}",
    "https://doi.org/": r"https://doi\.org/10\.\d{4,}/\S+",
    "https://github.com/": r"https://github\.com/[\w.-]+/[\w.-]+(/\S+)?",
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_that_lead_elsewhere_have_the_form_of_their_kind(page):
    """Whether they open, `make links` asks, on a machine with a network."""
    for words, address in outside(page):
        assert address.startswith("https://"), address
        for start, form in FORMS.items():
            assert not address.startswith(start) or re.fullmatch(form, address), address
        if named := re.search(r"arXiv (\S+)", words):
            assert address == f"https://arxiv.org/abs/{named[1]}", words


def test_readme_leads_to_the_paper():
    assert "https://arxiv.org/abs/2508.17456" in dict(outside(PAGES[0])).values()


def test_the_picture_of_the_rules_shows_those_of_the_default():
    drawn = (REPO / "workflow" / "report" / "readme" / "rules.svg").read_text(encoding="utf-8")
    planned = {rule.name for rule in rules(read_config(REPO / "config.yaml"))}
    assert set(re.findall(r"<text[^>]*>(.*?)</text>", drawn)) == planned | {"all"}


def test_readme_leads_to_every_page():
    text = (REPO / "README.md").read_text(encoding="utf-8")
    for page in [*PAGES[1:], REPO / "CHANGELOG.md"]:
        assert f"({page.relative_to(REPO)})" in text, page


def test_readme_is_read_in_five_minutes():
    assert len((REPO / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
def test_results_names_every_table_of_a_run_with_its_columns_and_no_other(completed):
    assert undocumented(completed.results) == []


@cache
def site():
    """The settings of the site, docs/conf.py."""
    spec = importlib.util.spec_from_file_location("conf", REPO / "docs" / "conf.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def contents() -> set[str]:
    """Pages in the site's table of contents."""
    trees = re.findall(
        r"```{toctree}\n(.*?)```", (REPO / "docs" / "index.md").read_text(), re.DOTALL
    )
    return {line for tree in trees for line in tree.splitlines() if line and line[0] != ":"}


def test_the_site_leads_to_every_page_and_the_gallery_has_every_published_figure():
    pages = [path for path in (REPO / "docs").iterdir() if path.suffix in (".md", ".rst", ".ipynb")]
    assert contents() == {path.stem for path in pages} - {"index"}
    published = {path.parent.name for path in (REPO / "workflow/published").glob("*/*.png")}
    assert published == set(site().PUBLISHED)
    assert "{{" not in site().caption("fvu-layer2")


def test_a_link_is_one_of_the_site_or_text():
    text = (
        "[a](docs/results.md#units) [b](README.md#results) [c](workflow/rules/data.smk) [d](https://x.org)"
        " ![e](workflow/published/toy-full/toy.png) [f](#here)"
    )
    assert site().relinked(text, REPO) == (
        "[a](results.md#units) [b](index.md#results) c [d](https://x.org)"
        " ![e](../workflow/published/toy-full/toy.png) [f](#here)"
    )


def test_docstrings_are_plain_text_on_the_site():
    lines = ["Takes *x_ and `y|z`.", "", "x: (n,),", "    ends here.", "", "    a = b_ * c"]
    site().as_restructured_text(None, "function", "f", None, None, lines)
    assert lines == [
        r"Takes \*x\_ and ``y|z``\ .", "",
        "| x: (n,), ends here.", "",
        "::", "", "      a = b_ * c", "",
    ]  # fmt: skip
