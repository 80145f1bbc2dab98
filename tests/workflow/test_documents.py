"""README and docs/: links lead somewhere, pages stay what they are for."""

import re

import pytest

from interference.config.load import read_config
from interference.plan.jobs import rules
from tests.support import REPO
from tests.support.documented import undocumented

PAGES = [REPO / "README.md", *sorted((REPO / "docs").glob("*.md"))]
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
