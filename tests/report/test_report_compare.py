"""Two runs beside each other: which verdicts changed, and by how much."""

from html import unescape

import pytest
from axe_playwright_python.sync_playwright import Axe

from interference.analysis.frames import write_frame
from interference.provenance import InterferenceError
from interference.report.compare import changed, compare, compared, html, summary
from interference.report.finished import CLAIMS, judged
from tests.support import REPO
from tests.support.published import read_claims


@pytest.fixture
def claims():
    return judged(read_claims(REPO / "workflow/published/canvas"))


def test_a_run_beside_itself_has_no_change(claims):
    both = compared(claims, claims)
    assert len(both) == len(claims)
    assert changed(both).empty
    numbers = both[both["measured_first"].notna() & both["low_first"].notna()]
    assert len(numbers) > 50
    assert (numbers["difference"] == 0).all()
    assert numbers["overlap"].all()


def test_a_changed_verdict_has_both_numbers_and_their_difference(claims):
    other = claims.copy()
    row = claims.index[claims["key"] == "canvas-robustness"][0]
    other.loc[row, ["verdict", "measured", "low", "high"]] = ["not reproduced", 0.5, 0.4, 0.6]
    ((_, found),) = changed(compared(claims, other.sample(frac=1, random_state=0))).iterrows()
    assert found["scope"] == claims.loc[row, "scope"]
    assert (found["verdict_first"], found["verdict_second"]) == ("reproduced", "not reproduced")
    assert found["difference"] == pytest.approx(0.5 - claims.loc[row, "measured"])
    assert not found["overlap"]


def test_what_holds_in_one_training_and_is_reproduced_in_several_has_not_changed(claims):
    words = {"reproduced": "holds here", "not reproduced": "fails here"}
    both = compared(claims.replace({"verdict": words}), claims)
    assert changed(both).empty
    trainings = claims["verdict"].isin(words).sum()
    assert f"{trainings} rest on one training" in "\n".join(summary(both, 62, 62))


def test_claims_of_one_run_alone_are_counted(claims):
    lines = [*summary(compared(claims[:40], claims[10:]), 40, len(claims) - 10)]
    assert lines[0] == "30 claims are in both runs, 10 in the first alone, 42 in the second alone."


def test_what_changed_is_printed_at_80_columns(claims, tmp_path, capsys):
    flipped = claims.assign(verdict=claims["verdict"].replace("reproduced", "undecided"))
    for name, table in (("a", claims), ("b", flipped)):
        write_frame(table, tmp_path / name / CLAIMS, {})
    compare(tmp_path / "a", tmp_path / "b")
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    assert (
        said.count("reproduced → undecided")
        == claims[claims["verdict"] == "reproduced"]["claim"].nunique()
    )
    assert said.count("] → ") == (claims["verdict"] == "reproduced").sum()


def test_the_page_shows_every_claim_once_and_names_are_text(claims):
    strange = "<script>alert('x')</script> \"q\" =1+1 é"
    flipped = claims.assign(verdict=claims["verdict"].replace("reproduced", "undecided"))
    renamed = {claims["scope"].iloc[0]: strange}
    both = compared(*(table.replace({"scope": renamed}) for table in (claims, flipped)))
    text = html((strange, "b"), both, [*summary(both, 62, 62)])
    main = text.partition('<main id="main"')[2].partition("</main>")[0]
    assert main.count('<th scope="row">') == len(claims) + 3  # and a line per verdict
    assert "<script>" not in main
    assert unescape(main).count(strange) >= (both["scope"] == strange).sum() > 0
    assert text == html((strange, "b"), both, [*summary(both, 62, 62)])


def test_the_page_carries_no_script_of_charts_since_it_has_none(claims):
    both = compared(claims, claims)
    text = html(("a", "b"), both, [*summary(both, 62, 62)])
    assert "vega-lite" not in text.replace('mode: "vega-lite"', "")
    assert len(text.encode()) < 200_000


def test_runs_without_a_common_claim_are_refused(claims, tmp_path):
    for name, table in (("a", claims[:5]), ("b", claims[5:])):
        write_frame(table, tmp_path / name / CLAIMS, {})
    with pytest.raises(InterferenceError, match="no claim in common"):
        compare(tmp_path / "a", tmp_path / "b")


@pytest.mark.xdist_group("pages")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_sound_in_a_browser(scheme, claims, browser, tmp_path):
    flipped = claims.assign(verdict=claims["verdict"].replace("reproduced", "undecided"))
    both = compared(claims, flipped)
    path = tmp_path / "compare.html"
    path.write_text(html(("a", "b"), both, [*summary(both, 62, 62)]), encoding="utf-8")
    page, said = browser.new_page(color_scheme=scheme), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(claim => claim.open = true)")
    for width in (390, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    violations = Axe().run(page).response["violations"]
    page.close()
    assert [violation["id"] for violation in violations] == []
    assert said == []
