"""Tables and figures from what the other rooms measured."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from interference.cli.job import Manifest, Output, Spec, begin

app = typer.Typer(no_args_is_help=True)

#: Options that a verb does not declare are its inputs: --accuracy PATH --saes PATH PATH …
NAMED = {"allow_extra_args": True, "ignore_unknown_options": True}


def named_inputs(arguments: list[str]) -> dict[str, list[Path]]:
    """Input paths by name. Raises BadParameter where a path has no name or a name no path."""
    inputs: dict[str, list[Path]] = {}
    paths = None
    for argument in arguments:
        if argument.startswith("--"):
            paths = inputs.setdefault(argument.removeprefix("--"), [])
        elif paths is None:
            raise typer.BadParameter(f"{argument} has no name; write --NAME {argument}")
        else:
            paths.append(Path(argument))
    empty = [name for name, paths in inputs.items() if not paths]
    if empty:
        raise typer.BadParameter(f"no path after --{empty[0]}")
    return inputs


def call(work: Callable, **named: object) -> object:
    """What ``work`` returns of named arguments. Raises BadParameter where it takes other names."""
    try:
        inspect.signature(work).bind(**named)
    except TypeError as error:
        raise typer.BadParameter(f"inputs of {work.__module__}: {error}") from None
    return work(**named)


@app.command()
def l0(
    manifests: Annotated[
        list[Path], typer.Argument(help="Manifests of attacked activations and of SAEs.")
    ],
    spec: Spec,
    output: Output,
) -> None:
    """Count the active latents of every SAE of a network, clean and under every attack."""
    fields = begin(spec)
    from interference.analysis.l0 import measure

    measure(fields, manifests, output)


@app.command()
def splice(
    manifests: Annotated[list[Path], typer.Argument(help="Manifests of rows and of SAEs on them.")],
    spec: Spec,
    data: Manifest,
    model: Manifest,
    output: Output,
) -> None:
    """Put every SAE's reconstruction in place of its layer, and let the network go on from there."""
    fields = begin(spec)
    from interference.analysis.splice import splice

    splice(fields, data, model, manifests, output)


@app.command(context_settings=NAMED)
def table(context: typer.Context, spec: Spec, output: Output) -> None:
    """Build the table that the spec names, as Parquet and CSV. Inputs: --NAME PATH PATH … each."""
    inputs, fields = named_inputs(context.args), begin(spec)
    import importlib

    from interference.analysis.frames import write_frame

    module = importlib.import_module(f"interference.analysis.tables.{fields['table']}")
    write_frame(call(module.build, spec=fields, **inputs), output, fields)


@app.command(context_settings=NAMED)
def figure(context: typer.Context, spec: Spec, output: Output) -> None:
    """Draw the figure that the spec names, as SVG and PNG. Its tables: --NAME PATH each."""
    inputs, fields = named_inputs(context.args), begin(spec)
    import importlib

    from interference.analysis.figures.style import save
    from interference.analysis.frames import read_frames, shown

    module = importlib.import_module(f"interference.analysis.figures.{fields['figure']}")
    frames = {name: shown(read_frames(paths), fields) for name, paths in inputs.items()}
    save(call(module.draw, which=fields, **frames), output, fields)


@app.command()
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
