"""Works to cite, as BibTeX: what CITATION.cff says of this software and of the papers tested."""

import re

from interference.report.writings import in_latex


def bibtex(citation: dict) -> str:
    """Entries for this software and each of its references.

    citation: of a CITATION.cff 1.2.0.
    """
    references = citation.get("references", [])
    return "\n".join(_entry(work) for work in [citation, *references])


def key(work: dict) -> str:
    """What a work is cited by: the first author's name and the year, or the first word of the title."""
    first = work["authors"][0].get("family-names", re.findall(r"\w+", work["title"])[0])
    return f"{first}{work.get('year', '')}".lower()


def _entry(work: dict) -> str:
    fields = {
        "title": f"{{{in_latex(work['title'])}}}",
        "author": " and ".join(_author(author) for author in work["authors"]),
        "year": str(work.get("year", "")),
        "version": str(work.get("version", "")),
    }
    if found := re.search(r"arXiv:([\d.]+)", work.get("notes", "")):
        fields |= {"eprint": found[1], "archiveprefix": "arXiv"}
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@misc{{{key(work)},", *lines, "}", ""])


def _author(author: dict) -> str:
    if "family-names" in author:
        return in_latex(f"{author['family-names']}, {author['given-names']}")
    return "others" if author["name"] == "et al." else f"{{{in_latex(author['name'])}}}"
