"""Verbs of the room analysis: tables and figures."""

import importlib

import typer

from interference.cli.job import Output, Spec, begin
from interference.cli.steps import arguments, named_words


def table(context: typer.Context, spec: Spec, output: Output) -> None:
    """Build the table that the spec names, as Parquet and CSV. Inputs: --NAME PATH PATH …"""
    words, fields = named_words(context.args), begin(spec)
    from interference.analysis.frames import write_frame

    build = importlib.import_module(f"interference.analysis.tables.{fields['table']}").build
    write_frame(build(spec=fields, **arguments(build, words)), output, fields)


def figure(context: typer.Context, spec: Spec, output: Output) -> None:
    """Draw the figure that the spec names, as SVG and PNG. Inputs: --NAME PATH PATH …

    Tables reach it as frames, and what it takes as a path as that.
    """
    words, fields = named_words(context.args), begin(spec)
    from interference.analysis.figures.style import save
    from interference.analysis.frames import read_frames, shown

    draw = importlib.import_module(f"interference.analysis.figures.{fields['figure']}").draw
    inputs = {
        name: shown(read_frames(value), fields) if isinstance(value, list) else value
        for name, value in arguments(draw, words).items()
    }
    save(draw(which=fields, **inputs), output, fields)
