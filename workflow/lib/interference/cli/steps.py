"""Verbs of jobs: `interference ROOM STEP --spec JSON --output PATH --INPUT PATH…`.

A verb calls ``run`` of the module of its name, whose arguments are the inputs. A module is imported
when its verb runs, so that no verb pays for another's libraries.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

import typer

from interference.cli.job import Output, Spec, begin
from interference.plan.entries import Step

#: Options that a verb does not declare are its inputs: --accuracy PATH --saes PATH PATH …
NAMED = {"allow_extra_args": True, "ignore_unknown_options": True}

#: Arguments that a step's function has besides its inputs.
GIVEN = ("spec", "output", "which")
#: How the word of an input becomes its value, by annotation; other annotations stand for paths.
SINGLE: dict[object, Callable[[str], object]] = {Path: Path, int | None: int}


def verb(step: Step) -> Callable[[typer.Context, Spec, Output], None]:
    """The verb of a step, a command of its room. Raises BadParameter for the spec of another step."""
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
    """The words after each name on a command line. Raises BadParameter where a word has no name."""
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
    return {name: _value(name, words[name], kind) for name, kind in declared(work, words).items()}


def declared(work: Callable, words: Mapping[str, list[str]]) -> dict[str, object]:
    """Annotations of those inputs of ``work`` that are named on a command line.

    Raises BadParameter where a name is unknown, or missing or without words though it has no default.
    """
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(work).parameters.items()
        if name not in GIVEN
    }
    for name in words:
        if name not in parameters:
            allowed = ", ".join(f"--{known}" for known in parameters)
            raise typer.BadParameter(f"--{name}: unknown; allowed: {allowed or 'none'}")
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and not words.get(name):
            raise typer.BadParameter(f"--{name} is missing")
    return {name: parameters[name].annotation for name in words}


def _value(name: str, words: list[str], kind: object) -> object:
    """The value of an input with the annotation ``kind``. Raises BadParameter."""
    if kind not in SINGLE:
        return [Path(word) for word in words]
    if len(words) != 1:
        raise typer.BadParameter(f"--{name}: found {len(words)} words, needs one")
    try:
        return SINGLE[kind](words[0])
    except ValueError:
        raise typer.BadParameter(f"--{name}: found {words[0]}, needs a number") from None
