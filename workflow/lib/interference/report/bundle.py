"""Results for others to check and run again: an RO-Crate of config, tables, manifests, cost and environment.

The crate follows the profile Workflow RO-Crate: the Snakefile is its main entity. Files lie in it as
in the results, each with its SHA-256, and tables and manifests have the specs of their jobs inside: the
slice of the config and the digest of the code that made them.
"""

import hashlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from interference.config.load import KEPT, read_config
from interference.plan.catalogue import TABLES
from interference.plan.outputs import known_by
from interference.plan.specs import Specs
from interference.plan.steps import ROOMS
from interference.provenance import InterferenceError
from interference.report.cost import as_json, as_markdown, record
from interference.report.finished import CLAIMS
from interference.report.provenance import CLONE
from interference.store.files import replacing, sha256

#: What of the clone a run needs beside the code.
OF_CLONE = ("envs/requirements.txt", "CITATION.cff", "LICENSE")
METADATA = "ro-crate-metadata.json"
#: Versions, machine and cost, for programs and for readers.
RECORD, READABLE = "provenance.json", "provenance.md"


def contents(results: Path) -> list[Path]:
    """What of finished results goes into a bundle: the config, tables, and the manifests of all jobs."""
    tables = results / CLAIMS.parent
    rooms = [results / room for room in ROOMS if room != "report"]
    return [
        results / KEPT,
        *sorted(path for path in tables.iterdir() if path.suffix in (".parquet", ".csv")),
        *sorted(path for room in rooms for path in room.rglob("[!.]*.json")
                if not any(".zarr" in part for part in path.parts)),
    ]  # fmt: skip


def pack(results: Path, folder: Path) -> None:
    """Write a bundle of finished results into a new folder. Raises ConfigError without their config."""
    experiment = read_config(results / KEPT).experiment
    crate = ROCrate()
    crate.name = f"Interference: {experiment}"
    crate.description = (
        f"Config, tables, manifests and environment of the experiment {experiment}: whether adversarial "
        "examples come from superposition."
    )
    crate.license = "https://spdx.org/licenses/MIT"
    crate.add_workflow(CLONE / "Snakefile", "Snakefile", main=True, lang="snakemake",
                       properties=_facts(CLONE / "Snakefile"))  # fmt: skip
    sources = [(CLONE / name, name) for name in OF_CLONE]
    sources += [(path, path.relative_to(results).as_posix()) for path in contents(results)]
    for path, name in sources:
        crate.add_file(path, name, properties=_facts(path))
    made = record(results)
    for name, text in ((RECORD, as_json(made)), (READABLE, as_markdown(made))):
        data = text.encode()
        facts = {"sha256": hashlib.sha256(data).hexdigest(), "contentSize": str(len(data))}
        crate.add_file(BytesIO(data), name, properties=facts)
    with replacing(folder) as temporary:
        crate.write(temporary)


def verify(folder: Path) -> Iterator[str]:
    """Check a bundle, and yield what was checked, what differs in this clone, and how to run it again.

    Raises InterferenceError where a file is not the one that was packed.
    """
    if not (folder / METADATA).is_file():
        raise InterferenceError(
            f"{folder} is no bundle: it has no {METADATA}; `interference report export` makes one"
        )
    files = [entity for entity in ROCrate(folder).get_entities() if "sha256" in entity.properties()]
    wrong = [*_damaged(folder, files)]
    if wrong:
        raise InterferenceError(f"{folder} is not what was packed: {'; '.join(wrong)}")
    yield f"{len(files)} files are what was packed."
    yield from _compared(folder)
    name = read_config(folder / KEPT).experiment
    yield "run it again, in a clone, and compare:"
    yield f"  make run CONFIG={folder / KEPT}"
    yield f"  interference report compare {folder} results/{name}"


def _facts(path: Path) -> dict[str, str]:
    return {"sha256": sha256(path), "contentSize": str(path.stat().st_size)}


def _damaged(folder: Path, files: list[Entity]) -> Iterator[str]:
    """Yield what is wrong with the files of a bundle."""
    for file in files:
        path = folder / file.id
        if not path.is_file():
            yield f"{file.id} is missing"
        elif sha256(path) != file["sha256"]:
            yield f"{file.id} was changed"
    known = {METADATA, *(file.id for file in files)}
    there = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    yield from (f"{name} was added" for name in sorted(there) if name not in known)


def _compared(folder: Path) -> Iterator[str]:
    """Yield whether this clone plans the very jobs that made the tables."""
    specs = Specs(read_config(folder / KEPT))
    planned = {table.name: specs.table(table.name) for table in TABLES if specs.jobs(table)}
    made = {
        path.stem: known_by(path).get("spec")
        for path in sorted((folder / CLAIMS.parent).glob("*.parquet"))
    }
    others = [name for name in planned if made.get(name) != planned[name]]
    if others:
        yield f"this clone's code is not the one that made {', '.join(others)}: it would make them anew."
    else:
        yield f"this clone's code is the one that made all {len(planned)} tables."
