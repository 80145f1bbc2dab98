"""Outputs that are asked which spec made them, before Snakemake plans.

Snakemake knows what made an output from its own records in `.snakemake`. People remove these (to
unlock), overrule them (`--touch`), or copy results from another clone or a backup. Every output has
the spec of its job inside, which holds all that is upstream, so the outputs are asked first:

- one of another spec is made anew, whatever the records say;
- one of the planned spec stays, whatever the records and the times of files say.

Each job costs a read of the head of each of its files, once a run.
"""

import hashlib
import html
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interference.provenance import canonical

#: How many differences are printed at most.
SHOWN = 8


def known_by(path: Path) -> dict[str, str]:
    """What an output says of its making; empty where it says nothing or cannot be read.

    spec: the spec of its job, canonical; csv_sha256: of a table, the digest of its CSV, hexadecimal.
    """
    try:
        return _READERS[path.suffix](path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _json(path: Path) -> dict[str, str]:
    value = json.loads(path.read_text(encoding="utf-8"))
    return {"spec": canonical(value["spec"])} | {k: value[k] for k in ("csv_sha256",) if k in value}


def _parquet(path: Path) -> dict[str, str]:
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(path).metadata
    return {name: metadata[name.encode()].decode() for name in ("spec", "csv_sha256")
            if name.encode() in metadata}  # fmt: skip


def _safetensors(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(min(length, path.stat().st_size)))
    return {"spec": canonical(json.loads(header["__metadata__"]["spec"]))}


def _zarr(path: Path) -> dict[str, str]:
    attributes = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
    return {"spec": canonical(attributes["spec"])}


def _svg(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8") as file:
        head = file.read(2**16)
    description = re.search("<dc:description>(.*?)</dc:description>", head, re.DOTALL)
    return {"spec": html.unescape(description[1])} if description else {}


def _png(path: Path) -> dict[str, str]:
    """Read the text chunk called spec, which stands before the pixels."""
    with path.open("rb") as file:
        file.seek(8)
        while (length := file.read(4)) and (kind := file.read(4)) != b"IDAT":
            data = file.read(int.from_bytes(length, "big"))
            file.seek(4, os.SEEK_CUR)
            if kind == b"tEXt" and data.startswith(b"spec\0"):
                return {"spec": data[5:].decode("ascii")}
    return {}


def _html(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8") as file:
        head = file.read(2**16)
    content = re.search('<meta name="spec" content="(.*?)">', head, re.DOTALL)
    return {"spec": html.unescape(content[1])} if content else {}


def _yaml(path: Path) -> dict[str, str]:
    """Read the comment in the first line."""
    with path.open(encoding="utf-8") as file:
        line = file.readline()
    return {"spec": canonical(json.loads(line[2:]))} if line.startswith("# ") else {}


_READERS = {
    ".html": _html,
    ".yaml": _yaml,
    ".json": _json,
    ".parquet": _parquet,
    ".safetensors": _safetensors,
    ".zarr": _zarr,
    ".svg": _svg,
    ".png": _png,
}


def foreign(paths: list[Path], spec: str) -> tuple[Path, str | None] | None:
    """The first of a job's existing outputs that another spec made, and that spec, None if unknown.

    A CSV has no place for a spec: it is known by its digest, which a file beside it holds.
    """
    known = {path: known_by(path) for path in paths if path.suffix != ".csv"}
    for path, facts in known.items():
        if facts.get("spec") != spec:
            return path, facts.get("spec")
    digests = {facts["csv_sha256"] for facts in known.values() if "csv_sha256" in facts}
    for path in paths:
        if path.suffix == ".csv" and hashlib.sha256(path.read_bytes()).hexdigest() not in digests:
            return path, None
    return None


def difference(before: str | None, now: str) -> str:
    """What changed from one spec to another, in words, such as method.steps 2 → 4."""
    if before is None:
        return "nothing in it says what made it"
    old, new = (dict(_leaves(json.loads(text), ())) for text in (before, now))
    changes = []
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) == new.get(name):
            continue
        if name == ("code", "digest"):
            changes.append(f"code of {', '.join(json.loads(now)['code']['roots'])}")
        elif name == ("inputs",):
            changes.append("what it is made from")
        else:
            changes.append(f"{'.'.join(name)} {_shown(old, name)} → {_shown(new, name)}")
    own = [change for change in changes if change != "what it is made from"]
    return "; ".join(own or changes)


def _leaves(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    else:
        yield path, json.dumps(value)


def _shown(leaves: dict, name: tuple[str, ...]) -> str:
    text = leaves.get(name, "nothing")
    return text if len(text) <= 60 else f"{text[:57]}..."


def ask_before_planning(workflow: Any) -> None:
    """Have a Snakemake workflow ask its outputs before it decides which jobs to run.

    workflow: Snakemake's Workflow. Its main process asks, dry runs too; its jobs do not.
    """
    if not workflow.is_main_process:
        return
    build = workflow._build_dag

    def build_dag() -> None:
        dag, decide = workflow.dag, workflow.dag.update_needrun

        async def update_needrun(*arguments: object, **options: object) -> None:
            dag.update_needrun = decide
            compares = any(trigger.name == "PARAMS" for trigger in workflow.rerun_triggers)
            ask(dag, workflow.persistence, compares)
            await decide(*arguments, **options)

        dag.update_needrun = update_needrun
        build()

    workflow._build_dag = build_dag


def ask(dag: Any, persistence: Any, compares: bool) -> None:
    """Force the jobs of a DAG whose outputs another spec made, and keep the outputs of all others.

    A job is forced where Snakemake would keep its outputs. Where Snakemake would make an output of the
    planned spec anew, its record of another spec is removed, and times are levelled.

    dag: Snakemake's DAG.
    persistence: Snakemake's records.
    compares: whether Snakemake compares specs with its records, as it does where every output has one.
    """
    fresh, forced = [], []
    for job in dag.jobs:
        spec = job.rule.params.get("spec")
        outputs = [output for output in job.output if os.path.exists(output)]
        if spec is None or not outputs:
            continue
        spec = spec(job.wildcards)
        other = foreign([Path(output) for output in outputs], spec)
        recorded = {output: persistence.params(output) for output in job.output}
        others = [
            output for output, params in recorded.items() if params and repr(spec) not in params
        ]
        if other is None:
            fresh.append(job)
            for output in others:
                persistence.cleanup_metadata(output)
        elif not (compares and others and all(recorded.values())):
            dag.forcefiles.update(outputs)
            forced.append((*other, spec))
    _report(forced)
    timed = [(job, _timed(job)) for job in fresh]
    if any(_out_of_order(job, files) for job, files in timed):
        _level([path for _, files in timed for path in files])


def _report(forced: list[tuple[Path, str | None, str]]) -> None:
    """Print which outputs are made anew and why; of those that only follow from others, how many.

    forced: per job, the output, the spec that made it, and the spec that is planned.
    """
    if not forced:
        return
    reasons: dict[str, list[Path]] = {}
    for path, before, now in forced:
        reasons.setdefault(difference(before, now), []).append(path)
    follow = reasons.pop("what it is made from", [])
    print(f"{len(forced)} jobs have outputs of another spec and run anew:", file=sys.stderr)
    for reason, paths in list(reasons.items())[:SHOWN]:
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        print(f"  {paths[0]}{more}: {reason}", file=sys.stderr)
    if len(reasons) > SHOWN:
        print(f"  and {len(reasons) - SHOWN} other reasons", file=sys.stderr)
    if follow:
        print(f"  and {len(follow)} that are made from other outputs", file=sys.stderr)


def _timed(job: Any) -> list[Path]:
    """The existing files whose times Snakemake takes for those of a job's outputs.

    For a folder it is a file that Snakemake keeps in it; the benchmark counts as well.
    """
    files = [Path(file) for file in [*job.output, job.benchmark] if file and os.path.exists(file)]
    stamps = (path / ".snakemake_timestamp" for path in files)
    return [stamp if stamp.exists() else path for path, stamp in zip(files, stamps)]


def _out_of_order(job: Any, files: list[Path]) -> bool:
    """Whether an input of a job is newer than one of the files."""
    oldest = min(path.stat().st_mtime for path in files)
    inputs = (file for file in job.input if not file.is_ancient and os.path.exists(file))
    return any(os.stat(file).st_mtime > oldest for file in inputs)


def _level(files: list[Path]) -> None:
    """Give all files the same time, so that no output is older than what it is made from."""
    now = time.time()
    try:
        for path in files:
            os.utime(path, (now, now))
    except PermissionError:
        print("times of results could not be set: they are another user's", file=sys.stderr)
