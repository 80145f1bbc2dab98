"""Verbs of jobs: `interference ROOM STEP --spec JSON --output PATH --INPUT PATH…`.

Each is ``run`` of the module of its name, whose arguments are the inputs. Modules are imported when
their verb runs, so that no verb pays for another's libraries.
"""

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path

import typer

from interference.cli.job import Output, Spec, begin
from interference.plan.catalogue import Step

#: Options that a verb does not declare are its inputs: --accuracy PATH --saes PATH PATH …
NAMED = {"allow_extra_args": True, "ignore_unknown_options": True}

#: Arguments that a step's function has besides its inputs.
GIVEN = ("spec", "output", "which")
#: Annotations of inputs of which there is one; whatever has another is several paths.
SINGLE = {Path: Path, int | None: int}


def verb(step: Step) -> Callable[[typer.Context, Spec, Output], None]:
    """The verb of a step, to be added to its room's."""
    module = f"interference.{step.room}.{step.name}"

    def run(context: typer.Context, spec: Spec, output: Output) -> None:
        words = named_words(context.args)
        fields = begin(spec)
        if module not in fields["code"]["roots"]:
            raise typer.BadParameter(
                f"--spec is of {', '.join(fields['code']['roots'])}, not of {module}"
            )
        work = importlib.import_module(module).run
        work(spec=fields, output=output, **arguments(work, words))

    return run


def named_words(words: list[str]) -> dict[str, list[str]]:
    """What follows each name on a command line. Raises BadParameter where a word has no name."""
    named: dict[str, list[str]] = {}
    values = None
    for word in words:
        if word.startswith("--"):
            values = named.setdefault(word.removeprefix("--"), [])
        elif values is None:
            raise typer.BadParameter(f"{word} has no name; write --NAME {word}")
        else:
            values.append(word)
    return named


def arguments(work: Callable, words: dict[str, list[str]]) -> dict[str, object]:
    """The inputs of ``work`` by name, as its signature declares them: a path, a number, or paths.

    Raises BadParameter where a name is unknown or missing, or has too many words or too few.
    """
    declared = {
        name: parameter
        for name, parameter in inspect.signature(work).parameters.items()
        if name not in GIVEN
    }
    for name in words:
        if name not in declared:
            allowed = ", ".join(f"--{known}" for known in declared)
            raise typer.BadParameter(f"--{name}: unknown; allowed: {allowed or 'none'}")
    for name, parameter in declared.items():
        if parameter.default is parameter.empty and name not in words:
            raise typer.BadParameter(f"--{name} is missing")
    return {name: _value(name, words[name], declared[name].annotation) for name in words}


def _value(name: str, words: list[str], kind: object) -> object:
    if kind not in SINGLE:
        return [Path(word) for word in words]
    if len(words) != 1:
        raise typer.BadParameter(f"--{name}: found {len(words)} words, needs one")
    try:
        return SINGLE[kind](words[0])
    except ValueError:
        raise typer.BadParameter(f"--{name}: found {words[0]}, needs a number") from None
