"""The command `interference`: one verb per rule, ROOM STEP, and the verbs of a run and its config."""

import errno
import sys

from interference.cli import environment

environment.settle()

import typer  # noqa: E402

from interference.cli import analysis, clean, config, launch, plan, report, saes, steps  # noqa: E402
from interference.plan.steps import ROOMS, STEPS  # noqa: E402
from interference.provenance import InterferenceError  # noqa: E402

app = typer.Typer(
    help="Do adversarial examples come from superposition?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
rooms = {
    room: typer.Typer(no_args_is_help=True, help=does, callback=lambda: None)
    for room, does in ROOMS.items()
}
for _step in STEPS:
    rooms[_step.room].command(_step.name, help=_step.does, context_settings=steps.NAMED)(
        steps.verb(_step)
    )
rooms["saes"].command()(saes.export)
rooms["analysis"].command(context_settings=steps.NAMED)(analysis.table)
rooms["analysis"].command(context_settings=steps.NAMED)(analysis.figure)
rooms["report"].command()(report.conclude)
rooms["report"].command()(report.show)
rooms["report"].command()(report.cost)
rooms["report"].command()(report.export)
rooms["report"].command()(report.verify)
rooms["report"].command()(report.compare)
for _name, _room in (("config", config.app), *rooms.items()):
    app.add_typer(_room, name=_name)
for _verb in (plan.plan, clean.clean, launch.launch, launch.status, launch.logs, launch.stop):
    app.command()(_verb)

_MENDS = {
    errno.ENOSPC: "the disk is full; free some space and run snakemake again (it resumes)",
    errno.EDQUOT: "your disk quota is used up; free some space and run snakemake again",
    errno.EACCES: "no permission; check the folder's owner and mode",
    errno.EROFS: "the file system is read-only; run from a writable clone",
}


def main() -> None:
    """Run a verb; a failure that a user can mend ends in a message and exit code 1, no traceback."""
    try:
        app()
    except InterferenceError as error:
        _fail(str(error))
    except OSError as error:
        mend = _MENDS.get(error.errno or 0)
        if mend is None:
            raise
        _fail(f"{error.filename or error.strerror}: {mend}")


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(1)
