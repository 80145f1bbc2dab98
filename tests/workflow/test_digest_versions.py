"""The digest of code is the code's alone: no version of Python moves it, so none plans jobs anew."""

import sys
from pathlib import Path

import pytest

from interference.provenance import digest, normalised

SAMPLE = Path(__file__).with_name("syntax.txt").read_text(encoding="utf-8")
#: Digest of the sample, recorded under each of these: `digest(normalised(SAMPLE))`.
RECORDED = {
    "3.11.7": "80a8b2463d6d4cf0",
    "3.12.1": "80a8b2463d6d4cf0",
    "3.13.0": "80a8b2463d6d4cf0",
    "3.14.2": "80a8b2463d6d4cf0",
}


def test_this_python_gives_the_digest_that_every_other_gave():
    assert set(RECORDED.values()) == {digest(normalised(SAMPLE))}, sys.version


def test_the_versions_that_were_recorded_are_all_that_the_package_runs_on():
    minors = {version.rpartition(".")[0] for version in RECORDED}
    assert minors == {"3.11", "3.12", "3.13", "3.14"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f\"{x['a']}\"", "f'{x[\"a\"]}'"),
        ("'a' f'{x}' 'b'", "f'a{x}b'"),
        ("f'{x}' ''", "f'{x}'"),
        ("u'text'", "'text'"),
        ("def f():\n    '''Doc.'''", "def f():\n    pass  # comment"),
    ],
)
def test_two_ways_to_write_the_same_are_the_same(one, other):
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f'{x}'", "f'{x!r}'"),
        ("f'{x:3}'", "f'{x:4}'"),
        ("f'{x}y'", "f'y{x}'"),
        ("f'{x}'", "'{x}'"),
        ("f(a, None)", "f(a)"),
        ("x = None", "x = 0"),
        ("x = True", "x = 1"),
        ("x = 1", "x = 1.0"),
        ("x = 'b'", "x = b'b'"),
        ("def f(a, b=None): pass", "def f(a, b): pass"),
        ("def f(*, a, b=None): pass", "def f(*, a=None, b): pass"),
        ("{**a, 'b': 1}", "{None: a, 'b': 1}"),
        ("x[1:]", "x[:1]"),
        ("x[None:1]", "x[:1]"),
        ("async def f(): pass", "def f(): pass"),
        ("return_ = lambda: None", "return_ = lambda: 0"),
        ("x: int", "x: int = None"),
        ("a < b", "a > b"),
        ("import a.b", "import a.b as b"),
    ],
)
def test_code_that_does_something_else_has_another_digest(one, other):
    assert digest(normalised(one)) != digest(normalised(other))
