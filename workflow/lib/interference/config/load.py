"""Read and check a config; every error in one message that says what to write instead."""

import difflib
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from interference.config.reader import ConfigError, read_file, read_values
from interference.config.schema import Config
from interference.config.values import FRACTION, NAME, WORDS


def read_config(path: Path) -> Config:
    """Read and check a YAML file. Raises ConfigError."""
    return check_config(read_file(path))


def read_workflow(workflow) -> Config:
    """Read and check what a Snakemake workflow was given: its config files and ``--config``.

    Snakemake has read both already, by rules of its own, which take a key that stands twice and words
    that its users did not mean. Raises ConfigError.
    """
    return check_config(
        read_values(workflow.configfiles, workflow.config_settings.config_args or ())
    )


def check_config(values: object) -> Config:
    """Check what a config file holds. Raises ConfigError."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"config: found {_found(values)}, needs sections such as data and models")
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


def _found(value: object) -> str:
    if isinstance(value, str):
        return f"{value!r} (text)"
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return f"a block with {', '.join(map(str, value)) or 'no keys'}"
    return repr(value)


def _path(location: tuple) -> str:
    return ".".join(str(part) for part in location) or "config"


def _untagged(location: tuple) -> tuple:
    """A path without the discriminator's value, which pydantic puts after what it tells apart."""
    for tagged in (("models",), ("attacks", "methods", "*"), ("toy", "adversarial", "attack")):
        start = location[: len(tagged)]
        if len(start) == len(tagged) and all(t in (part, "*") for t, part in zip(tagged, start)):
            return start + location[len(tagged) + 1 :]
    return location


def _explain(detail: ErrorDetails) -> list[str]:
    """One line an error: field: found, allowed, mend."""
    location, kind = _untagged(detail["loc"]), detail["type"]
    if location and location[-1] == "[key]":
        location = location[:-2]
    found, context = detail["input"], detail.get("ctx", {})
    field = _path(location)
    if kind == "value_error":
        message = str(context["error"])
        if len(location) == 0:  # checks across sections name their fields themselves
            return message.split("\n")
        own = message.split(":")[0]
        return [
            f"{field}.{message}" if " " not in own and ":" in message else f"{field}: {message}"
        ]
    if kind == "extra_forbidden":
        names = _allowed_keys(detail["loc"][:-1])
        return [f"{field}: unknown key; allowed: {', '.join(names)}{_nearest(location[-1], names)}"]
    if kind == "missing":
        return [f"{field}: missing; config.yaml shows every key with its meaning"]
    if kind == "literal_error":
        names = [n.strip("'") for n in context["expected"].replace(" or ", ", ").split(", ")]
        return [
            f"{field}: found {_found(found)}, allowed: {', '.join(names)}{_nearest(found, names)}"
        ]
    if kind.startswith("union_tag"):
        expected = context.get("expected_tags") or ", ".join(_tags(detail["loc"]))
        names = [n.strip("'") for n in expected.split(", ")]
        tag, key = context.get("tag"), context["discriminator"].strip("'")
        return [
            f"{field}.{key}: found {_found(tag)}, allowed: {', '.join(names)}{_nearest(tag, names)}"
        ]
    if kind == "string_pattern_mismatch":
        return [f"{field}: found {_found(found)}, allowed: {_in_words(found, context['pattern'])}"]
    if kind == "string_type" and found is not None and not isinstance(found, Mapping | list):
        return [f"{field}: found {_found(found)}, should be text; quote it: {str(found)!r}"]
    allowed = detail["msg"].removeprefix("Input ").partition(" or instance of")[0]
    allowed = allowed.replace("valid dictionary", "block of keys")
    return [f"{field}: found {_found(found)}, {allowed[0].lower()}{allowed[1:]}{_number(found)}"]


def _in_words(found: str, pattern: str) -> str:
    """What a pattern allows, and of a name the nearest that it does."""
    near = re.sub(r"[^a-z0-9.]+", "-", found.lower()).strip("-.")
    return WORDS[pattern] + (f"; write {near}" if pattern == NAME and near else "")


def _number(found: object) -> str:
    """How to write a number that stands there as text."""
    if not isinstance(found, str):
        return ""
    try:
        parts = re.match(FRACTION, found)
        number = float(parts[1]) / float(parts[2]) if parts else float(found.replace(",", ".", 1))
    except (ValueError, ZeroDivisionError):
        return ""
    plain = int(number) if number.is_integer() else float(f"{number:.6g}")
    return f"; write {plain!r} ({found!r} is text)" if math.isfinite(number) else ""


def _nearest(found: object, names: list[str]) -> str:
    close = difflib.get_close_matches(str(found), names, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def _allowed_keys(location: tuple) -> list[str]:
    """The keys of the section at ``location``, as pydantic writes it."""
    return list(_node(location).get("properties", {}))


def _tags(location: tuple) -> list[str]:
    """What tells the members of a union apart, at ``location``."""
    return list(_node(location)["discriminator"]["mapping"])


def _node(location: tuple) -> dict:
    """The schema of what stands at a path in which discriminators' values stand, too."""
    schema = Config.model_json_schema()
    node = schema
    for part in location:
        tagged = node.get("discriminator", {}).get("mapping", {})
        named = node.get("patternProperties", {"": node.get("additionalProperties")})
        node = node.get("properties", {}).get(part) or next(iter(named.values())) or {}
        node = _resolve(schema, {"$ref": tagged[part]} if part in tagged else node)
    return node


def _resolve(schema: dict, node: dict) -> dict:
    while "$ref" in node or "anyOf" in node:
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        else:
            node = next(option for option in node["anyOf"] if option.get("type") != "null")
    return node
