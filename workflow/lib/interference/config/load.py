"""Reading and checking of a config: all its errors in one message, each with what to write instead."""

import difflib
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from interference.config.describe import resolve, schema
from interference.config.reader import ConfigError, read_file, read_values
from interference.config.schema import Config
from interference.config.values import FRACTION, NAME, WORDS

#: Where an experiment keeps its config among its results; the page's job writes it.
KEPT = "report/config.yaml"
#: Where pydantic sees an error: keys and places in lists, and values of discriminators among them.
Location = tuple[int | str, ...]


def read_config(path: Path) -> Config:
    """Read and check a config file. Raises ConfigError."""
    return check_config(read_file(path))


def read_workflow(workflow: Any) -> Config:
    """Read and check the config files and ``--config`` of a Snakemake workflow. Raises ConfigError.

    workflow: Snakemake's Workflow. It has read both by rules of its own, which take a key that stands
        twice, and words that its users did not mean.
    """
    return check_config(
        read_values(workflow.configfiles, workflow.config_settings.config_args or ())
    )


def check_config(values: object) -> Config:
    """Check the values of a config file. Raises ConfigError."""
    if not isinstance(values, Mapping):
        raise ConfigError(
            f"config: found {_in_words(values)}, needs sections such as data and models"
        )
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        lines = [line for detail in error.errors() for line in _explain(detail)]
        plural = "" if len(lines) == 1 else "s"
        body = "\n".join(f"  {line}" for line in lines)
        raise ConfigError(f"the config has {len(lines)} error{plural}:\n{body}") from None


def check_writable(folder: Path) -> None:
    """Check that results can be written under ``folder``. Raises ConfigError."""
    existing = Path(folder).absolute()
    while not existing.exists() and not existing.is_symlink():
        existing = existing.parent
    if not existing.is_dir():
        raise ConfigError(f"results cannot be written: {existing} is not a folder; move it away")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ConfigError(
            f"results cannot be written: no permission for {existing}; "
            "change its permissions or run from another clone"
        )


def check_path(python: str) -> None:
    """Check that a cluster's jobs can run this Python. Raises ConfigError.

    Snakemake writes its path into the command of such a job as it is, without quotes.
    """
    if strange := sorted(set(re.findall(r"[^\w@%+=:,./-]", python))):
        raise ConfigError(
            f"{python}: a cluster's jobs start by this path, in which a shell takes "
            f"{' '.join(map(repr, strange))} for more than a letter; move the clone to a path of "
            "letters, digits and . _ - alone and `make setup` there (here it runs without a cluster)"
        )


def _in_words(value: object) -> str:
    """A value of a config as messages show it."""
    if isinstance(value, str):
        return f"{value!r} (text)"
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return f"a block with {', '.join(map(str, value)) or 'no keys'}"
    return repr(value)


def _path(location: Location) -> str:
    """A location as people write it: attacks.methods.pgd."""
    return ".".join(str(part) for part in location) or "config"


def _untagged(location: Location) -> Location:
    """A location without values of discriminators, which pydantic puts after what they tell apart."""
    for tagged in (("models",), ("attacks", "methods", "*"), ("toy", "adversarial", "attack")):
        start = location[: len(tagged)]
        if len(start) == len(tagged) and all(t in (part, "*") for t, part in zip(tagged, start)):
            return start + location[len(tagged) + 1 :]
    return location


def _explain(detail: ErrorDetails) -> list[str]:
    """The lines about an error: the field, what was found, what is allowed, the mend."""
    location, kind = _untagged(detail["loc"]), detail["type"]
    if location and location[-1] == "[key]":
        location = location[:-2]
    value, context = detail["input"], detail.get("ctx", {})
    field = _path(location)
    if kind == "value_error":
        message = str(context["error"])
        if len(location) == 0:  # checks across sections name their fields themselves
            return message.split("\n")
        own, colon, _ = message.partition(":")
        return [f"{field}.{message}" if colon and " " not in own else f"{field}: {message}"]
    if kind == "extra_forbidden":
        names = list(_node(detail["loc"][:-1]).get("properties", {}))
        return [f"{field}: unknown key; allowed: {', '.join(names)}{_nearest(location[-1], names)}"]
    if kind == "missing":
        return [f"{field}: missing; config.yaml shows every key with its meaning"]
    if kind == "literal_error":
        names = [n.strip("'") for n in context["expected"].replace(" or ", ", ").split(", ")]
        allowed = f"allowed: {', '.join(names)}{_nearest(value, names)}"
        return [f"{field}: found {_in_words(value)}, {allowed}"]
    if kind.startswith("union_tag"):
        tags = context.get("expected_tags") or ", ".join(
            _node(detail["loc"])["discriminator"]["mapping"]
        )
        names = [n.strip("'") for n in tags.split(", ")]
        tag, key = context.get("tag"), context["discriminator"].strip("'")
        allowed = f"allowed: {', '.join(names)}{_nearest(tag, names)}"
        return [f"{field}.{key}: found {_in_words(tag)}, {allowed}"]
    if kind == "string_pattern_mismatch":
        return [
            f"{field}: found {_in_words(value)}, allowed: {_pattern(value, context['pattern'])}"
        ]
    if kind == "string_type" and value is not None and not isinstance(value, Mapping | list):
        return [f"{field}: found {_in_words(value)}, should be text; quote it: {str(value)!r}"]
    allowed = detail["msg"].removeprefix("Input ").partition(" or instance of")[0]
    allowed = allowed.replace("valid dictionary", "block of keys")
    return [f"{field}: found {_in_words(value)}, {allowed[0].lower()}{allowed[1:]}{_number(value)}"]


def _pattern(value: str, pattern: str) -> str:
    """What a pattern allows, in words; for a name also the nearest that is allowed."""
    near = re.sub(r"[^a-z0-9.]+", "-", value.lower()).strip("-.")
    return WORDS[pattern] + (f"; write {near}" if pattern == NAME and near else "")


def _number(value: object) -> str:
    """How to write a number that stands in a config as text; empty for anything else."""
    if not isinstance(value, str):
        return ""
    try:
        parts = re.match(FRACTION, value)
        number = float(parts[1]) / float(parts[2]) if parts else float(value.replace(",", ".", 1))
    except (ValueError, ZeroDivisionError):
        return ""
    plain = int(number) if number.is_integer() else float(f"{number:.6g}")
    return f"; write {plain!r} ({value!r} is text)" if math.isfinite(number) else ""


def _nearest(value: object, names: list[str]) -> str:
    """The question whether the name most like a value was meant; empty where none is like it."""
    close = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def _node(location: Location) -> dict:
    """The JSON schema of what stands at a location."""
    node = schema()
    for part in location:
        tagged = node.get("discriminator", {}).get("mapping", {})
        named = node.get("patternProperties", {"": node.get("additionalProperties")})
        node = node.get("properties", {}).get(part) or next(iter(named.values())) or {}
        node = resolve({"$ref": tagged[part]} if part in tagged else node)
    return node
