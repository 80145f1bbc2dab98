"""Tables, figures, and what a run found."""

import importlib
from pathlib import Path

import typer

from interference.cli.job import Output, Spec, begin
from interference.cli.steps import arguments, named_words


def table(context: typer.Context, spec: Spec, output: Output) -> None:
    """Build the table that the spec names, as Parquet and CSV. Inputs: --NAME PATH PATH … each."""
    words, fields = named_words(context.args), begin(spec)
    from interference.analysis.frames import write_frame

    build = importlib.import_module(f"interference.analysis.tables.{fields['table']}").build
    write_frame(build(spec=fields, **arguments(build, words)), output, fields)


def figure(context: typer.Context, spec: Spec, output: Output) -> None:
    """Draw the figure that the spec names, as SVG and PNG. Its tables: --NAME PATH each."""
    words, fields = named_words(context.args), begin(spec)
    from interference.analysis.figures.style import save
    from interference.analysis.frames import read_frames, shown

    draw = importlib.import_module(f"interference.analysis.figures.{fields['figure']}").draw
    inputs = arguments(draw, words)
    frames = {name: shown(read_frames(paths), fields) for name, paths in inputs.items()}
    save(draw(which=fields, **frames), output, fields)


def conclude(results: Path) -> None:
    """Print what a finished run found, and where its figures and report are."""
    from interference.analysis.frames import read_frame
    from interference.store.files import read_json

    claims = read_frame(results / "analysis" / "tables" / "claims.parquet")
    for claim, part in claims.groupby("claim", sort=False):
        print(f"\n{claim}")
        for row in part.itertuples():
            limits = f"[{row.low:.3f}, {row.high:.3f}]" if row.low == row.low else "no interval"
            measured = f"{row.measured:7.3f} {limits}"
            print(f"  {measured:28s} reported {row.reported:12s} {row.verdict:15s} {row.scope}")
            if row.why:
                print(f"  {'':28s} {'':21s} {row.why}")
    gates = results / "analysis" / "tables" / "gates.parquet"
    if gates.exists():
        print("\ngates: accuracy of the checkpoints, beside what their authors reported")
        for row in read_frame(gates).itertuples():
            measured = f"{row.measured:7.4f} [{row.low:.4f}, {row.high:.4f}]"
            print(
                f"  {measured} reported {row.reported:.4f} {row.verdict:10s} {row.model}, {row.gate}"
            )
    for manifest in sorted((results / "models").glob("*.json")):
        learned = read_json(manifest).get("learned", "something")
        if learned != "something":
            print(f"\nnote: {manifest.stem} learned {learned} in training; {manifest} and its log")
    print(f"\ntables   {results / 'analysis' / 'tables'}")
    print(f"figures  {results / 'analysis' / 'figures'}")
    print(f"report   {results / 'report.html'}")
