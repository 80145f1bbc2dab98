"""The command `interference ROOM VERB`: one verb a rule, one error a line; and verbs of a run.

Each room's verbs import what they need when they run, so that no verb pays for another's library.
"""

import errno
import sys

from interference.cli import environment

environment.settle()

import typer  # noqa: E402

from interference.cli import (  # noqa: E402
    activations,
    analysis,
    attacks,
    clean,
    config,
    data,
    launch,
    models,
    plan,
    saes,
    toy,
)
from interference.provenance import InterferenceError  # noqa: E402

app = typer.Typer(
    help="Do adversarial examples come from superposition?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _room in (config, data, models, attacks, activations, saes, toy, analysis):
    app.add_typer(_room.app, name=_room.__name__.rsplit(".", 1)[-1], help=_room.__doc__)
for _verb in (plan.plan, clean.clean, launch.launch, launch.status, launch.logs, launch.stop):
    app.command()(_verb)

_MENDS = {
    errno.ENOSPC: "the disk is full; free some space and run snakemake again (it resumes)",
    errno.EDQUOT: "your disk quota is used up; free some space and run snakemake again",
    errno.EACCES: "no permission; check the folder's owner and mode",
    errno.EROFS: "the file system is read-only; run from a writable clone",
}


def main() -> None:
    """Run a verb; an expected failure ends in one message and exit code 1, without a traceback."""
    try:
        app()
    except InterferenceError as error:
        _fail(str(error))
    except OSError as error:
        mend = _MENDS.get(error.errno)
        if mend is None:
            raise
        _fail(f"{error.filename or error.strerror}: {mend}")


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(1)
