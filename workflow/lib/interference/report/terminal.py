"""Tables in a terminal: as wide as it is, or 80 columns; colours repeat what words say."""

import os
import sys
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Columns where nothing says how wide a terminal is.
WIDTH = 80
_COLOURS = {
    "reproduced": "green",
    "holds here": "green",
    "not reproduced": "red",
    "fails here": "red",
    "no effect": "red",
}


def console(file: TextIO | None = None) -> Console:
    """A console that takes no letter of a name for markup."""
    file = file or sys.stdout
    width = None if file.isatty() or "COLUMNS" in os.environ else WIDTH
    return Console(file=file, width=width, markup=False, highlight=False, emoji=False)


def grid(rows: Iterable[tuple[str, ...]], indent: int = 0) -> Table:
    """Rows in columns that wrap, the last as wide as what is left."""
    rows = list(rows)
    table = Table.grid(padding=(0, 2, 0, 0), expand=False)
    for place in range(len(rows[0]) if rows else 0):
        last = place == len(rows[0]) - 1
        table.add_column(no_wrap=not last, overflow="fold")
    for row in rows:
        table.add_row(*map(coloured, row))
    return table


def coloured(words: str) -> Text:
    """Words in the colour of the verdict that they begin with."""
    colour = next((colour for said, colour in _COLOURS.items() if words.startswith(said)), "")
    return Text(words, style=colour)
