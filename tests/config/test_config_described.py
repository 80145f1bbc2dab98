"""What is said of the keys of a config: of each, with its unit, and the same everywhere."""

import re

import pytest

from interference.config.describe import COLUMN, commented, files, page, resolve, schema
from interference.provenance import ROOT

REPO = ROOT.parents[2]
CONFIG = (REPO / "config.yaml").read_text(encoding="utf-8")
#: What numbers of a config count or measure; "over" says what a ratio is of.
UNITS = (
    r"images?|pixels?|rows?|steps?|epochs?|inputs?|latents?|positions?|features?|dimensions?|dens\w+|"
    r"components|channels|classes|seeds?|jobs?|draws|starts?|share|over|units"
)


def sections():
    """(section, key, node) of every key of the schema."""
    for name, node in {"": schema(), **schema()["$defs"]}.items():
        for key, value in node["properties"].items():
            yield name, key, value


def is_number(node):
    """Whether a node is a number, or a list or block of numbers."""
    node = resolve(node)
    inner = [
        *node.get("anyOf", []),
        *(node[k] for k in ("items", "additionalProperties") if node.get(k)),
    ]
    return node.get("type") in ("integer", "number") or any(map(is_number, inner))


KEYS = {f"{name}.{key}".lstrip("."): node for name, key, node in sections()}


@pytest.mark.parametrize("key", KEYS)
def test_every_key_says_what_it_is(key):
    assert re.fullmatch(r"[A-ZΑ-Ω\d].*\.", KEYS[key].get("description", ""))


@pytest.mark.parametrize("key", [key for key, node in KEYS.items() if is_number(node)])
def test_every_number_says_its_unit(key):
    said = KEYS[key]["description"]
    assert re.search(rf"\b({UNITS})\b", said, re.IGNORECASE), said


@pytest.mark.parametrize("path", files(REPO), ids=lambda path: path.name)
def test_what_is_made_of_the_schema_is_as_it_says_now(path):
    assert path.read_text(encoding="utf-8") == files(REPO)[path], "run interference config describe"


def test_the_page_has_every_key_with_its_description():
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", page(), re.MULTILINE)
    assert set(rows) == {(key, node["description"]) for _, key, node in sections()}


def test_comments_that_were_edited_or_lost_are_made_anew_and_the_files_own_stay():
    edited = CONFIG.replace("Images per training step", "Rows per epoch")
    assert edited != CONFIG
    assert commented(edited) == CONFIG
    lines = [line for line in CONFIG.splitlines() if line[: COLUMN - 1].strip() or not line]
    bare = [
        line[: COLUMN - 1].rstrip() if line[COLUMN - 1 :][:1] == "#" else line for line in lines
    ]
    assert not any("Images per training step" in line for line in bare)
    assert commented("\n".join(bare)) == CONFIG


def test_a_description_stands_where_its_key_comes_first_and_above_a_line_of_several():
    text = commented(
        "attacks:\n  methods:\n    a: {type: pgd, norm: l2}\n    b: {type: pgd, steps: 1}\n"
    )
    above, norm, first, steps, second = text.splitlines()[-5:]
    assert above.strip() == "# type: Projected gradient ascent."
    assert norm.strip() == "# norm: Norm of the perturbation. One of l2, linf."
    assert first == "    a: {type: pgd, norm: l2}"
    assert steps.strip() == "# steps: Gradient steps per image and restart."
    assert second == "    b: {type: pgd, steps: 1}"
