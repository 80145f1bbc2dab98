"""Verbs of the room analysis: tables, figures, conclusions."""

import importlib
import math
from pathlib import Path

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


def conclude(results: Path) -> None:
    """Print the conclusions of a finished run, and where its figures and report are."""
    from interference.analysis.findings import findings
    from interference.analysis.frames import read_frame
    from interference.store.files import read_json

    claims = read_frame(results / "analysis" / "tables" / "claims.parquet")
    for claim, part in claims.groupby("claim", sort=False):
        print(f"\n{claim}")
        for row in part.to_dict("records"):
            limits = f"[{row['low']:.3f}, {row['high']:.3f}]"
            interval = "no interval" if math.isnan(row["low"]) else limits
            reported = f"reported {row['reported']:12s} {row['verdict']:15s} {row['scope']}"
            measured = f"{row['measured']:7.3f} {interval}"
            print(f"  {measured:28s} {reported}")
            if row["why"]:
                print(f"  {'':28s} {'':21s} {row['why']}")
    print(f"\n{findings(claims)}")
    counts = claims["verdict"].value_counts(sort=False)
    print("\nverdicts:", ", ".join(f"{count} {said}" for said, count in counts.items()))
    if (claims["about"] == "this network").any():
        print(
            "note: networks of one training each. What holds or fails here does so in these networks,"
            " by intervals over images;\nwhether other trainings say the same this run cannot decide."
            " Several trainings of each can: three or more models.seeds."
        )
    gates = results / "analysis" / "tables" / "gates.parquet"
    if gates.exists():
        print("\ngates: accuracy of the checkpoints, beside what their authors reported")
        for row in read_frame(gates).to_dict("records"):
            measured = f"{row['measured']:7.4f} [{row['low']:.4f}, {row['high']:.4f}]"
            verdict = f"{row['verdict']:10s} {row['model']}, {row['gate']}"
            print(f"  {measured} reported {row['reported']:.4f} {verdict}")
    for manifest in sorted((results / "models").glob("*.json")):
        learned = read_json(manifest).get("learned", "something")
        if learned != "something":
            print(f"\nnote: {manifest.stem} learned {learned} in training; {manifest} and its log")
    print(f"\ntables   {results / 'analysis' / 'tables'}")
    print(f"figures  {results / 'analysis' / 'figures'}")
    print(f"report   {results / 'report.html'}")
