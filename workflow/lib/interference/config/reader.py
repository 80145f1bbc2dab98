"""Reader of YAML, for config files and for ``--config key=value``.

A config means the same to every reader. YAML 1.1, which PyYAML reads, takes some plain words for what
nobody means: ``no`` for false, ``010`` for eight, ``1:30`` for ninety, ``2026-11-26`` for a date, and
``1e-3`` for text. All these are refused, with what to write instead, and so is a key that stands twice.
Anchors and merge keys (``<<``) are taken.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from interference.provenance import InterferenceError

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_INTEGER = re.compile(r"[-+]?(0[0-9_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+|0[bB][01_]+)")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_DECIMAL = re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?")


class ConfigError(InterferenceError):
    """The config is wrong; the message names each field, what was found and what is allowed."""


def read_values(paths: Sequence[Path], overrides: Sequence[str] = ()) -> dict:
    """Values of config files, each over those before it, and of overrides, over all. Raises ConfigError.

    paths: YAML files with a block of keys; a block within a block is merged key by key.
    overrides: ``key=value`` as `snakemake --config` takes them; the value is YAML.
    """
    values: dict = {}
    for path in paths:
        _merge(values, read_file(path))
    for override in overrides:
        key, _, text = override.partition("=")
        _merge(values, {key: parse(text, f"--config {key}", at=(key,))})
    return values


def read_file(path: Path) -> dict:
    """The block of keys that a YAML file holds. Raises ConfigError."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder; name a config file") from None
    except PermissionError:
        raise ConfigError(f"{path}: no permission to read it; change its mode") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    values = parse(text, str(path))
    if not isinstance(values, dict):
        content = "nothing" if values is None else f"{values!r}"
        raise ConfigError(f"{path}: found {content}, needs sections such as data and models")
    return values


def parse(text: str, where: str, at: tuple[str, ...] = ()) -> object:
    """The value that YAML text means.

    where: what an error calls the text; at: the keys that lead to the value.
    Raises ConfigError with every word that YAML's versions read differently.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        problems = list(_problems(node, at, ()))
        if problems:
            plural = "" if len(problems) == 1 else "s"
            lines = "\n".join(f"  {line}" for line in problems)
            raise ConfigError(f"{where} has {len(problems)} error{plural}:\n{lines}")
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not YAML: {error}") from None
    finally:
        loader.dispose()


def _merge(values: dict, above: Mapping) -> None:
    """Put what stands above over values, block by block."""
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


def _problems(node: yaml.Node, path: tuple, parents: tuple) -> Iterator[str]:
    """One line per word that is refused: its field, its line, the mend."""
    field, line = ".".join(map(str, path)) or "config", node.start_mark.line + 1
    if any(node is parent for parent in parents):
        yield f"{field}: line {line}: an alias leads back to the block that it stands in"
    elif isinstance(node, yaml.ScalarNode):
        mend = _trap(node)
        if mend:
            yield f"{field}: line {line}: found {node.value}, {mend}"
    elif isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            yield from _problems(item, (*path, i), (*parents, node))
    else:
        seen: dict[str, int] = {}
        for key, value in node.value:
            at = key.start_mark.line + 1
            inner = path if key.tag == _MERGE else (*path, getattr(key, "value", "?"))
            name = ".".join(map(str, inner))
            if not isinstance(key, yaml.ScalarNode):
                yield f"{field}: line {at}: a key is a word, found a block or list"
                continue
            mend = _trap(key) or _no_text(key)
            if mend:
                reading = mend.partition(";")[0]
                meant = f"found the key {key.value or 'nothing'}, {reading}"
                yield f"{name}: line {at}: {meant}; quote it: {key.value!r}"
            elif key.value in seen:
                yield (
                    f"{name}: line {at}: the key {key.value!r} stands twice in its block, first at "
                    f"line {seen[key.value]}; keep one"
                )
            seen.setdefault(key.value, at)
            yield from _problems(value, inner, (*parents, node))


def _no_text(key: yaml.ScalarNode) -> str | None:
    """The mend of a key that YAML reads as something else than text; None for text."""
    if key.tag in (f"{_TAG}str", _MERGE):
        return None
    kind = key.tag.removeprefix(_TAG)
    return f"which YAML reads as {kind}; quote it: {key.value!r}"


def _trap(node: yaml.ScalarNode) -> str | None:
    """How YAML 1.1 reads a plain word that people mean otherwise, and the mend; None if it does not."""
    word, kind = node.value, node.tag.removeprefix(_TAG)
    if node.style is not None:  # quoted, or a block of text
        return None
    quoted = f"quote it: {word!r}"
    if kind == "bool" and word.lower() not in ("true", "false"):
        meant = "true" if word.lower() in ("yes", "on") else "false"
        return f"which YAML reads as {meant}; write {meant}, or for the text {quoted}"
    if kind == "timestamp":
        return f"which YAML reads as a date; {quoted}"
    if _SEXAGESIMAL.fullmatch(word) and kind in ("int", "float"):
        return f"which YAML reads in base 60; write the number, or for the text {quoted}"
    if _INTEGER.fullmatch(word) and kind in ("int", "str"):
        return f"which YAML reads as {_readings(word)}; write the decimal number, or for the text {quoted}"
    if kind == "str" and _DECIMAL.fullmatch(word):
        number = float(word.replace("_", ""))
        plain = int(number) if number.is_integer() and abs(number) < 1e16 else number
        return f"which YAML reads as text; write {_with_point(plain)}, or for the text {quoted}"
    if kind == "str" and word == "None":
        return f"which YAML reads as text; write null for nothing, or for the text {quoted}"
    return None


def _readings(word: str) -> str:
    """The value of a number in another base to YAML 1.1; "text" where it is no number to it."""
    try:
        value = yaml.safe_load(word)
    except ValueError:  # 0b_ and the like
        return "text"
    return "text" if isinstance(value, str) else str(value)


def _with_point(number: float) -> str:
    """A number as YAML 1.1 and 1.2 both read it: an exponent needs a point and a sign."""
    text = repr(number)
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    point = mantissa if "." in mantissa else f"{mantissa}.0"
    return f"{point}e{exponent if exponent[0] in '+-' else '+' + exponent}"
