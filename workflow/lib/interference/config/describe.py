"""What the keys of a config mean, for those who write one: a page, comments and the JSON schema.

All are made of the docstrings under the keys, by `interference config describe`.
"""

import json
import re
import textwrap
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import get_args

import yaml

from interference.config.schema import Config
from interference.config.values import WORDS, Layer

#: Where comments of a config begin, and where its lines end.
COLUMN, WIDTH = 34, 100

HEADER = f"""\
# Keys of a config

Every key that an experiment can have, by section; [`config.yaml`](../config.yaml) shows most of them in place. For those who write their own. This page is made of the schema, by `interference config describe`.

There are no defaults: a key that is not *optional* must be there. NAME is a name of your own, LAYER one of {", ".join(get_args(Layer))}.
"""


@cache
def schema() -> dict:
    """The JSON schema of a config, in which every key has a description."""
    whole = Config.model_json_schema()
    for section in (whole, *whole["$defs"].values()):
        for node in section["properties"].values():
            said = node.get("description") or resolve(node, whole).get("description", "")
            node["description"] = " ".join(said.split())
    return whole


def resolve(node: dict, whole: dict | None = None) -> dict:
    """What a node of the schema refers to; of a section or null, the section."""
    if "$ref" in node:
        return (whole or schema())["$defs"][node["$ref"].rpartition("/")[2]]
    options = [option for option in node.get("anyOf", []) if option.get("type") != "null"]
    return resolve(options[0], whole) if len(options) == 1 else node


def variants(node: dict) -> dict[str, dict]:
    """The sections that can stand at a node, by the value of the key that tells them apart."""
    node = resolve(node)
    if "discriminator" not in node:
        return {"": node}
    tags = {ref: tag for tag, ref in node["discriminator"]["mapping"].items()}
    return {tags[option["$ref"]]: resolve(option) for option in node["oneOf"]}


def named(section: dict) -> dict:
    """What stands under each name of a section whose names are the user's own; else empty."""
    own = section.get("patternProperties", {"": section.get("additionalProperties")})
    return next(iter(own.values())) or {}


def files(repository: Path) -> dict[Path, str]:
    """Every file of the repository that is made of the schema, and its text."""
    config = repository / "config.yaml"
    return {
        repository / "docs" / "config.md": page(),
        config: commented(config.read_text(encoding="utf-8")),
        repository / "workflow" / "schemas" / "config.schema.json": (
            json.dumps(schema(), indent=1, sort_keys=True) + "\n"
        ),
    }


def commented(text: str) -> str:
    """The text of a config, with each key's description beside it, or above where a line has several.

    A description stands where its key comes first. Comments that begin before `COLUMN` on lines of
    their own are the file's, and stay; all others are made anew.
    """
    keys: Counter[int] = Counter()  # by number of the line
    beside: dict[int, list[tuple[str, str]]] = defaultdict(list)
    described = set()

    def visit(node: yaml.Node | None, allowed: dict) -> None:
        if not isinstance(node, yaml.MappingNode):
            return
        values = {key.value: value.value for key, value in node.value}
        tag = values.get(allowed.get("discriminator", {}).get("propertyName"), "")
        section = variants(allowed)[tag]
        for key, value in node.value:
            line = key.start_mark.line
            keys[line] += 1
            inner = section.get("properties", {}).get(key.value)
            if inner and (entry := (key.value, _comment(inner))) not in described:
                described.add(entry)
                beside[line].append(entry)
            visit(value, inner or named(section))

    visit(yaml.compose(text), schema())
    margin, lines = " " * (COLUMN - 1), []
    for number, line in enumerate(text.splitlines()):
        if line.startswith(margin) and line.lstrip().startswith("#"):
            continue
        code = line if line.lstrip().startswith("#") else re.sub(r"\s+#.*", "", line)
        alone = keys[number] == 1
        comments = [
            margin + part
            for key, description in beside[number]
            for part in _wrap(description if alone else f"{key}: {description}")
        ]
        if alone and comments:
            lines += [code.ljust(COLUMN - 1) + comments[0].lstrip(), *comments[1:]]
        else:
            lines += [*comments, code]
    return "\n".join(lines) + "\n"


def _wrap(description: str) -> list[str]:
    return textwrap.wrap(
        description, WIDTH - COLUMN + 1, initial_indent="# ", subsequent_indent="# "
    )


def _comment(node: dict) -> str:
    """A key's description, and the words that it takes."""
    words = resolve(node).get("enum")
    return node["description"] + (f" One of {', '.join(words)}." if words else "")


def page() -> str:
    """docs/config.md: a table of keys per section."""
    lines = [HEADER]

    def section(path: str, node: dict) -> None:
        key = node.get("discriminator", {}).get("propertyName")
        for tag, keys in variants(node).items():
            title = f"`{path}`" + (f", `{key}: {tag}`" if tag else "")
            lines.extend([f"## {title if path else 'The file'}\n", *_table(keys)])
            for name, inner in keys["properties"].items():
                below = resolve(inner)
                if any("properties" in v for v in variants(inner).values()):
                    section(f"{path}.{name}".lstrip("."), below)
                elif any("properties" in v for v in variants(named(below)).values()):
                    section(f"{path}.{name}.{_names(below)}", named(below))

    section("", schema())
    return "\n".join(lines)


def _table(section: dict) -> list[str]:
    said = " ".join(section.get("description", "").split())
    rows = ["| key | value | what it is |", "|---|---|---|"]
    for key, node in section["properties"].items():
        optional = "" if key in section.get("required", []) else ", optional"
        rows.append(f"| `{key}` | {_value(node)}{optional} | {node['description']} |")
    return [f"{said}\n", *rows, ""]


def _names(node: dict) -> str:
    """What stands for the names of a section whose names are the user's own."""
    return "LAYER" if "enum" in node.get("propertyNames", {}) else "NAME"


def _value(node: dict) -> str:
    """What a key takes, in words."""
    if "anyOf" in node:
        either = " or ".join(_value(option) for option in node["anyOf"])
        return either.replace(", or null or null", " or null")
    if "$ref" in node or "discriminator" in node:
        return "section"
    if "const" in node or "enum" in node:
        return ", ".join(f"`{word}`" for word in node.get("enum") or [node["const"]])
    kind = node["type"]
    if kind == "object":
        return f"{_names(node)}: {_value(named(node))}"
    if kind == "array":
        return f"list of {_value(node['items'])}"
    if kind == "string":
        return WORDS.get(node.get("pattern", ""), "text")
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = ", ".join(f"{sign} {node[name]}" for name, sign in signs.items() if name in node)
    return {"boolean": "true or false"}.get(kind, f"{kind} {bounds}".strip())
