"""What a paper takes of a run: every letter is text, LaTeX compiles it, and others can verify it."""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml
from markdown_it import MarkdownIt
from matplotlib.figure import Figure
from matplotlib.text import Text

from interference.config.load import KEPT, read_config
from interference.plan.specs import Specs
from interference.provenance import InterferenceError
from interference.report import bundle
from interference.report.drawings import COLUMN, LEAST_LETTERS, PAGE, drawings, fit
from interference.report.export import PREAMBLE, export
from interference.report.finished import CLAIMS, judged
from interference.report.references import bibtex
from interference.report.verdicts import arm_of
from interference.report.writings import Writing, latex, markdown, writings
from interference.store.files import sha256
from tests.support import REPO
from tests.support.checkout import NETWORKS_ONLY, TINY, without
from tests.support.pages import tables_of
from tests.support.published import read_claims

STRANGE = ["<script>alert('x')</script>", "=1+1", "a_b & 50% #1 $x$ {y} ~z^2 \\end", "é ε ½ − ≥ 漢",
           "[link](http://x) *b* `c` | d", "* -- ?`", '"quoted"']  # fmt: skip


#: command → Debian's package
NEEDED = {"pdflatex": "texlive-latex-recommended and lmodern", "pdftotext": "poppler-utils"}


@pytest.fixture(scope="session")
def latex_is_here() -> None:
    """Skip where this machine has no LaTeX; in continuous integration, fail."""
    lacking = [
        f"{name} (Debian's {package})"
        for name, package in NEEDED.items()
        if shutil.which(name) is None
    ]
    if lacking:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse(f"nothing is compiled: this machine lacks {'; '.join(lacking)}")


def strange() -> Writing:
    """A table of strange names, header and caption too."""
    cells = pd.DataFrame({"<b>_%&": STRANGE, "second": STRANGE[::-1]})
    return Writing("strange", "A caption with 100 % & <i>_", cells, (0.5, 0.3))


def compiled(folder: Path, name: str) -> str:
    """What pdflatex says of a document; it may not fail."""
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", name],
        cwd=folder, capture_output=True, encoding="latin-1",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


def test_strange_names_are_text_in_markdown():
    caption, table = markdown(strange()).split("\n\n", 1)
    parser = MarkdownIt("commonmark").enable("table")
    cells = re.findall(r"<t[dh]>(.*?)</t[dh]>", parser.render(table))
    assert [html.unescape(cell) for cell in cells[:2]] == ["<b>_%&", "second"]
    assert [html.unescape(cell) for cell in cells[2::2]] == STRANGE
    assert html.unescape(parser.renderInline(caption)) == strange().caption


def test_strange_names_are_text_in_latex(tmp_path, latex_is_here):
    (tmp_path / "strange.tex").write_text(latex(strange()), encoding="utf-8")
    text = f"{PREAMBLE}\\usepackage{{cmap}}\\begin{{document}}\\input{{strange}}\\end{{document}}"
    (tmp_path / "document.tex").write_text(text, encoding="utf-8")
    compiled(tmp_path, "document.tex")
    shown = subprocess.run(
        ["pdftotext", "-layout", "document.pdf", "-"], cwd=tmp_path, capture_output=True, check=True
    ).stdout.decode()
    for part in (
        "<script>alert",
        "=1+1",
        "a_b & 50%",
        "{y}",
        "U+6F22",
        "100 % & <i>_",
        "[link](http://x) *b*",
        "| d",
        "* -- ?‘",
    ):
        assert part in shown, shown


def test_tables_of_a_paper_have_every_claim_with_its_number():
    claims = read_claims(REPO / "workflow/published/fashion")
    accuracy = pd.read_parquet(REPO / "workflow/published/fashion/accuracy.parquet")
    by_name = {
        writing.name: writing for writing in writings({"claims": claims, "accuracy": accuracy})
    }
    assert [*by_name] == ["verdicts", "claims-canvas", "claims-networks", "accuracy"]
    claims = judged(claims)
    assert len(by_name["verdicts"].cells) == claims["claim"].nunique()
    assert len(by_name["accuracy"].cells) == len(accuracy)
    for arm in ("canvas", "networks"):
        told = by_name[f"claims-{arm}"].cells["measured"].str.replace("−", "-")
        of_arm = claims.loc[claims["key"].map(arm_of) == arm, "measured"]
        for text, measured in zip(told, of_arm, strict=True):
            assert text.startswith("not measured" if pd.isna(measured) else f"{measured:.3f}")
    for writing in by_name.values():
        assert len(writing.widths) == writing.cells.shape[1]
        assert sum(writing.widths) < 1


def test_claims_on_rivals_are_a_table_of_a_paper_too():
    claims = tables_of("rivals")["claims"]
    verdicts, by_claim = writings({"claims": claims})
    assert (verdicts.name, by_claim.name) == ("verdicts", "claims-rivals")
    assert [*by_claim.cells["measured on"]] == [*judged(claims)["scope"]]


def test_references_are_the_papers_tested():
    citation = yaml.safe_load((REPO / "CITATION.cff").read_text(encoding="utf-8"))
    entries = bibtex(citation)
    papers = ["gorton2025", "elhage2022", "stevinson2025", "bereska2025"]
    assert re.findall(r"@misc\{(\w+),", entries) == ["interference", *papers]
    assert "author = {Gorton, Liv and Lewis, Owen}" in entries
    assert "author = {Elhage, Nelson and others}" in entries
    assert re.findall(r"eprint = \{(.*?)\}", entries) == [
        "2508.17456", "2209.10652", "2510.11709", "2512.13568",
    ]  # fmt: skip


@pytest.mark.parametrize(("width", "fitted"), [(3.1, 3.1), (4.6, COLUMN), (6.2, 6.2), (15.0, PAGE)])
def test_a_figure_is_no_wider_than_a_column_or_a_page_and_stays_legible(width, fitted):
    figure = Figure(figsize=(width, 3))
    for axis in figure.subplots(1, 3):
        axis.plot([0, 1], [0, 1])
        axis.set_xticks([0, 0.1, 1], ["a long label", "another long label", "c"])
    fit(figure)
    assert figure.get_size_inches()[0] == pytest.approx(fitted)
    assert min(text.get_fontsize() for text in figure.findobj(Text)) >= LEAST_LETTERS
    assert {label.get_rotation() for label in figure.axes[0].get_xticklabels()} == {90}


@pytest.fixture(scope="module")
def exported(completed, tmp_path_factory):
    """The export of the tiny experiment's toy models and canvases, and their results."""
    results = tmp_path_factory.mktemp("export") / "tiny"
    shutil.copytree(completed.results, results, copy_function=os.link)
    values = yaml.safe_load((REPO / TINY).read_text(encoding="utf-8"))
    (results / KEPT).unlink()  # which is a link to that of the run
    text = yaml.safe_dump(without(values, NETWORKS_ONLY))
    (results / KEPT).write_text(text, encoding="utf-8")
    lines = [*export(results, results.parent / "paper")]
    assert len(lines) == 4
    return results, results.parent / "paper"


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
def test_every_figure_and_table_of_an_export_compiles(exported, latex_is_here):
    results, folder = exported
    expected = {drawing.name for drawing in drawings(Specs(read_config(results / KEPT)))}
    made = {
        path.relative_to(folder / "figures").with_suffix("").as_posix()
        for path in folder.rglob("*.pdf")
    }
    assert made == expected >= {"toy", "canvas_dose"}
    compiled(folder, "paper.tex")
    subprocess.run(["bibtex", "paper"], cwd=folder, check=True, capture_output=True)
    compiled(folder, "paper.tex")
    said = compiled(folder, "paper.tex")
    assert "undefined" not in said
    for name in expected:
        assert f"figures/{name}.pdf" in said.replace("\n", "")
    for path in folder.joinpath("figures").rglob("*.pdf"):
        text = path.read_bytes()
        assert b"/FontFile2" in text, path
        assert b"/Type3" not in text, path


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
def test_text_of_an_exported_svg_is_text(exported):
    _, folder = exported
    assert "features per dimension" in (folder / "figures/toy_elhage.svg").read_text(
        encoding="utf-8"
    )


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
def test_a_bundle_is_verified_in_another_folder_and_a_changed_one_is_not(exported, tmp_path):
    _, folder = exported
    moved = shutil.copytree(folder / "bundle", tmp_path / "moved")
    lines = [*bundle.verify(moved)]
    assert "files are what was packed" in lines[0]
    assert f"make run CONFIG={moved / KEPT}" in lines[-2]
    packed = {path.relative_to(moved).as_posix() for path in moved.rglob("*") if path.is_file()}
    assert {
        KEPT,
        "analysis/tables/claims.parquet",
        "toy/models.json",
        "envs/requirements.txt",
        "provenance.md",
    } <= packed
    made = json.loads((moved / "provenance.json").read_text(encoding="utf-8"))
    assert {"python", "torch"} <= made["versions"].keys()
    assert "processor" in made["machine"]
    by_step = {step["step"]: step for step in made["steps"]}
    assert by_step["toy/train"]["measured"] == 1
    assert made["core"] > by_step["toy/train"]["core"] > 0
    assert f"{made['core']:,.0f} core seconds" in (moved / "provenance.md").read_text("utf-8")
    (moved / KEPT).write_text("experiment: other\n")
    (moved / "analysis/tables/claims.csv").unlink()
    (moved / "provenance.json").write_text("{}")
    (moved / "more.txt").touch()
    with pytest.raises(
        InterferenceError,
        match=r"config.yaml was changed.*claims.csv is missing.*provenance.json was changed.*more.txt was added",
    ):
        [*bundle.verify(moved)]


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
def test_a_bundle_is_a_workflow_ro_crate(exported):
    _, folder = exported
    graph = json.loads((folder / "bundle" / bundle.METADATA).read_text(encoding="utf-8"))["@graph"]
    by_id = {entity["@id"]: entity for entity in graph}
    assert by_id["./"]["mainEntity"] == {"@id": "Snakefile"}
    assert "ComputationalWorkflow" in by_id["Snakefile"]["@type"]
    assert any("workflow-ro-crate" in profile["@id"] for profile in by_id["./"]["conformsTo"])


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
def test_tables_of_this_code_are_recognised_and_of_another_named(completed, tmp_path):
    bundle.pack(completed.results, tmp_path / "bundle")
    assert "is the one that made all" in "\n".join(bundle.verify(tmp_path / "bundle"))
    claims = tmp_path / "bundle" / CLAIMS
    pd.read_parquet(claims).to_parquet(claims)  # without its spec
    metadata = tmp_path / "bundle" / bundle.METADATA
    packed = sha256(completed.results / CLAIMS)
    metadata.write_text(
        metadata.read_text("utf-8").replace(packed, sha256(claims)), encoding="utf-8"
    )
    assert "is not the one that made claims:" in "\n".join(bundle.verify(tmp_path / "bundle"))


def test_a_folder_that_is_no_export_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(InterferenceError, match="is no export"):
        [*export(tmp_path / "results", tmp_path)]
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
