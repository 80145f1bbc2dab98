"""The verb plan: jobs and costs of a run."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Option(help="The experiment.")]
Run = Annotated[
    Path | None,
    typer.Option(help="The config of a finished run, whose seconds per job are the measure."),
]


def plan(
    configfile: ConfigFile = Path("config.yaml"),
    gpus: Annotated[int, typer.Option(min=1, help="GPUs that the cluster gives at once.")] = 8,
    core_run: Run = None,
    gpu_run: Run = None,
) -> None:
    """Say what a whole run would do and cost: jobs, bytes and hours per rule, and what is missing."""
    from interference.config.load import read_config
    from interference.plan import costs
    from interference.plan.jobs import missing

    def measured(path: Path, device: str) -> tuple[str, dict[str, float]]:
        config = read_config(path)
        rates = costs.measured(config, Path("results") / config.experiment)
        return f"{device} that ran {config.experiment}", rates

    config = read_config(configfile)
    core = measured(core_run, "the core") if core_run else costs.shipped("core")
    gpu = measured(gpu_run, "the GPU") if gpu_run else costs.shipped("gpu")
    print(costs.describe(config, core, gpu, gpus))
    for line in missing(config):
        print(line)
