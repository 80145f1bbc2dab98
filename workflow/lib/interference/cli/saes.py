"""Export of SAEs for other libraries."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    manifest: Annotated[Path, typer.Argument(help="Trained SAEs: saes/MODEL/LAYER/TYPE.json.")],
    output: Annotated[Path, typer.Argument(help="A folder, in which each SAE gets its own.")],
    sparsity: Annotated[float | None, typer.Option(help="Only SAEs of this sparsity.")] = None,
    seed: Annotated[int | None, typer.Option(help="Only SAEs of this seed.")] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            help="activations/MODEL/LAYER/rows.json: fold its mean and deviation in, so that the "
            "SAEs take raw activations; without it they take standardised ones."
        ),
    ] = None,
) -> None:
    """Write trained SAEs in the format of SAELens, one folder per SAE."""
    from interference.saes.export import export

    for folder in export(manifest, output, sparsity, seed, rows):
        print(folder)
