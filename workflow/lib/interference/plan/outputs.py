"""What results say of themselves: was each made by the spec that is planned?

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

from interference.provenance import canonical

#: Differences that are told of one run.
TOLD = 8


def known_by(path: Path) -> dict:
    """What a file holds of how it was made: spec, canonical; of a table also csv_sha256.

    Empty where it holds nothing, or cannot be read: it is not known what made it.
    """
    try:
        return _READERS[path.suffix](path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _json(path: Path) -> dict:
    value = json.loads(path.read_text(encoding="utf-8"))
    return {"spec": canonical(value["spec"])} | {k: value[k] for k in ("csv_sha256",) if k in value}


def _parquet(path: Path) -> dict:
    import pyarrow.parquet as pq

    found = pq.read_metadata(path).metadata
    return {name: found[name.encode()].decode() for name in ("spec", "csv_sha256")
            if name.encode() in found}  # fmt: skip


def _safetensors(path: Path) -> dict:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(min(length, path.stat().st_size)))
    return {"spec": canonical(json.loads(header["__metadata__"]["spec"]))}


def _zarr(path: Path) -> dict:
    attributes = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
    return {"spec": canonical(attributes["spec"])}


def _svg(path: Path) -> dict:
    with path.open(encoding="utf-8") as file:
        head = file.read(2**16)
    found = re.search("<dc:description>(.*?)</dc:description>", head, re.DOTALL)
    return {"spec": html.unescape(found[1])}


def _png(path: Path) -> dict:
    """The text chunk called spec, which stands before the pixels."""
    with path.open("rb") as file:
        file.seek(8)
        while (length := file.read(4)) and (kind := file.read(4)) != b"IDAT":
            data = file.read(int.from_bytes(length, "big"))
            file.seek(4, os.SEEK_CUR)
            if kind == b"tEXt" and data.startswith(b"spec\0"):
                return {"spec": data[5:].decode("ascii")}
    return {}


_READERS = {
    ".json": _json,
    ".parquet": _parquet,
    ".safetensors": _safetensors,
    ".zarr": _zarr,
    ".svg": _svg,
    ".png": _png,
}


def foreign(paths: list[Path], spec: str) -> tuple[Path, str | None] | None:
    """The first of a job's existing outputs that another spec made, and that spec if it is known.

    A CSV has no place for a spec: it is known by its digest, which a file beside it holds.
    """
    known = {path: known_by(path) for path in paths if path.suffix != ".csv"}
    for path, found in known.items():
        if found.get("spec") != spec:
            return path, found.get("spec")
    digests = {found["csv_sha256"] for found in known.values() if "csv_sha256" in found}
    for path in paths:
        if path.suffix == ".csv" and hashlib.sha256(path.read_bytes()).hexdigest() not in digests:
            return path, None
    return None


def difference(before: str | None, now: str) -> str:
    """What changed from one spec to another, for people: method.steps 2 → 4."""
    if before is None:
        return "nothing in it says what made it"
    old, new = (dict(_leaves(json.loads(text), ())) for text in (before, now))
    told = []
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) == new.get(name):
            continue
        if name == ("code", "digest"):
            told.append(f"code of {', '.join(json.loads(now)['code']['roots'])}")
        elif name == ("inputs",):
            told.append("what it is made from")
        else:
            told.append(f"{'.'.join(name)} {_shown(old, name)} → {_shown(new, name)}")
    own = [change for change in told if change != "what it is made from"]
    return "; ".join(own or told)


def _leaves(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    else:
        yield path, json.dumps(value)


def _shown(leaves: dict, name: tuple[str, ...]) -> str:
    text = leaves.get(name, "nothing")
    return text if len(text) <= 60 else f"{text[:57]}..."


def ask_before_planning(workflow) -> None:
    """Have a Snakemake workflow ask its outputs before it decides which jobs to run.

    workflow: Snakemake's own. Its main process asks, dry runs too; its jobs do not.
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


def ask(dag, persistence, compares: bool) -> None:
    """Force the jobs of a DAG whose outputs another spec made, and settle the rest.

    dag, persistence: Snakemake's; compares: whether it compares a job's spec with what it recorded,
    which it does where all outputs have a record. A job is forced where Snakemake would keep its
    outputs. Of an output of the planned spec, a record of another is removed, and times are levelled
    where an input is newer: Snakemake would make it anew.
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
    _tell(forced)
    timed = [(job, _timed(job)) for job in fresh]
    if any(_out_of_order(job, files) for job, files in timed):
        _level([path for _, files in timed for path in files])


def _tell(forced: list[tuple[Path, str | None, str]]) -> None:
    """Say which outputs are made anew, and why: of those that only follow, how many."""
    if not forced:
        return
    reasons: dict[str, list[Path]] = {}
    for path, before, now in forced:
        reasons.setdefault(difference(before, now), []).append(path)
    follow = reasons.pop("what it is made from", [])
    print(f"{len(forced)} jobs have outputs of another spec and run anew:", file=sys.stderr)
    for reason, paths in list(reasons.items())[:TOLD]:
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        print(f"  {paths[0]}{more}: {reason}", file=sys.stderr)
    if len(reasons) > TOLD:
        print(f"  and {len(reasons) - TOLD} other reasons", file=sys.stderr)
    if follow:
        print(f"  and {len(follow)} that are made from other outputs", file=sys.stderr)


def _timed(job) -> list[Path]:
    """The files whose times Snakemake takes for those of a job's outputs: those that are there.

    Of a folder it is a file that Snakemake keeps in it; the benchmark counts too.
    """
    files = [Path(file) for file in [*job.output, job.benchmark] if file and os.path.exists(file)]
    stamps = (path / ".snakemake_timestamp" for path in files)
    return [stamp if stamp.exists() else path for path, stamp in zip(files, stamps)]


def _out_of_order(job, files: list[Path]) -> bool:
    oldest = min(path.stat().st_mtime for path in files)
    inputs = (file for file in job.input if not file.is_ancient and os.path.exists(file))
    return any(os.stat(file).st_mtime > oldest for file in inputs)


def _level(files: list[Path]) -> None:
    """Give all files one time, so that no output is older than what it is made from."""
    now = time.time()
    try:
        for path in files:
            os.utime(path, (now, now))
    except PermissionError:
        print("times of results could not be set: they are another user's", file=sys.stderr)
