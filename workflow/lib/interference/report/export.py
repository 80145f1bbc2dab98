"""What a paper takes of a finished run: figures, tables, references, and a bundle to verify."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from interference.analysis.findings import findings
from interference.analysis.frames import read_frame
from interference.config.load import KEPT, read_config
from interference.plan.specs import Specs
from interference.provenance import InterferenceError
from interference.report.bundle import pack
from interference.report.drawings import Drawing, save_all
from interference.report.finished import CLAIMS
from interference.report.provenance import CLONE
from interference.report.references import bibtex
from interference.report.writings import Writing, in_latex, write, writings
from interference.store.files import replacing

#: The document that takes in everything; it marks a folder as an export.
DOCUMENT = "paper.tex"
PREAMBLE = r"""\documentclass{article}
\usepackage[margin=0.8in]{geometry}
\usepackage[T1]{fontenc}
\usepackage{lmodern,textcomp,amssymb,array,booktabs,longtable,graphicx}
"""


def export(results: Path, folder: Path) -> Iterator[str]:
    """Write the export of finished results into a folder, and yield a line on each part.

    Raises InterferenceError, before anything is written, where the folder holds something else.
    """
    if folder.exists() and not (folder / DOCUMENT).is_file():
        raise InterferenceError(
            f"{folder} is there and is no export; remove it or name another with --to"
        )
    specs = Specs(read_config(results / KEPT))
    frames = {
        path.stem: read_frame(path) for path in sorted((results / CLAIMS.parent).glob("*.parquet"))
    }
    with replacing(folder) as temporary:
        drawn = [*save_all(specs, results, temporary / "figures")]
        yield f"{len(drawn)} figures, PDF and SVG: {folder / 'figures'}"
        written = [*writings(frames)]
        for writing in written:
            write(writing, temporary / "tables")
        yield f"{len(written)} tables, LaTeX and Markdown: {folder / 'tables'}"
        citation = yaml.safe_load((CLONE / "CITATION.cff").read_text(encoding="utf-8"))
        texts = {
            "references.bib": bibtex(citation),
            "findings.md": findings(frames["claims"]) + "\n",
            DOCUMENT: document(drawn, written),
        }
        for name, text in texts.items():
            (temporary / name).write_text(text, encoding="utf-8")
        pack(results, temporary / "bundle")
    yield f"a document with all of them: pdflatex {DOCUMENT} in {folder}"
    yield f"a bundle that others verify: interference report verify {folder / 'bundle'}"


def document(drawn: Iterable[Drawing], written: Iterable[Writing]) -> str:
    """A LaTeX document that takes in every figure and table."""
    figures = [
        rf"""\begin{{figure}}[p]
\centering
\includegraphics{{figures/{drawing.name}.pdf}}
\caption{{{in_latex(drawing.caption)}}}
\end{{figure}}
\clearpage"""
        for drawing in drawn
    ]
    tables = [rf"\input{{tables/{writing.name}}}" for writing in written]
    body = [r"\begin{document}", *tables, r"\clearpage", *figures, r"\nocite{*}",
            r"\bibliographystyle{plain}", r"\bibliography{references}", r"\end{document}"]  # fmt: skip
    return "\n".join([PREAMBLE, *body, ""])
