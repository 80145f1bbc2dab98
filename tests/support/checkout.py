"""A copy of the workflow to run and to edit, and dry runs over what it made."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from interference import provenance
from interference.plan.catalogue import FIGURES, TABLES
from tests.support import REPO, forks, machine_code
from tests.support.planner import snakemake

#: What a run needs; the tests' copies hold nothing else.
PARTS = ("Snakefile", "config.yaml", "workflow", "profiles", "tests/experiments")
TINY = "tests/experiments/tiny.yaml"
#: Not results: what is timed, and what is said on the way.
UNCOMPARED = ("logs", "benchmarks", "report/snakemake.html")
#: Of the package, from the folder of a checkout.
PACKAGE = "workflow/lib/interference"
#: The sections of the arm of networks; `toy` is the other arm.
NETWORK_SECTIONS = ("data", "models", "attacks", "activations", "saes")
#: The same without what canvases read, too.
NETWORKS_ONLY = NETWORK_SECTIONS[1:]

#: Read by every Python that starts with this file's folder on its path: at the end of a verb of the
#: package, its arguments and the names of all modules that it loaded go to a file of their own.
RECORDER = """
import atexit, os, sys

def _record():
    import json
    if os.path.basename(sys.argv[0]) == "interference":
        path = os.path.join(os.environ["RECORD_TO"], f"{os.getpid()}-{os.urandom(4).hex()}.json")
        modules = sorted(sys.modules)
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"arguments": sys.argv[1:], "modules": modules}, file)

if "RECORD_TO" in os.environ:
    atexit.register(_record)
"""


@dataclass(frozen=True)
class Plan:
    """A dry run: every job by name with its outputs, and those that their own spec's change starts."""

    outputs: dict[str, list[str]]
    starts: set[str]

    @property
    def jobs(self) -> set[str]:
        return set(self.outputs)


@dataclass
class Checkout:
    """A copy of the workflow in a folder of its own, with its own package first on the path."""

    folder: Path
    records: Path
    _saved: dict[Path, tuple[bytes, tuple[int, int]]] = field(default_factory=dict)

    @classmethod
    def copy(cls, folder: Path) -> "Checkout":
        """Copy the repository's workflow to ``folder / "checkout"``, with its machine code."""
        ignored = shutil.ignore_patterns(
            "published", "*.egg-info", ".snakemake", "*.nb[ci]", "*.lock"
        )
        for part in PARTS:
            source, target = REPO / part, folder / "checkout" / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=ignored)
            else:
                shutil.copy2(source, target)
        for name in ("recorder", "records"):
            (folder / name).mkdir()
        begin = folder / "recorder" / "sitecustomize.py"
        begin.write_text(RECORDER + forks.ASKING, encoding="utf-8")
        checkout = cls.of(folder)
        machine_code.share(checkout.package)
        return checkout

    @classmethod
    def of(cls, folder: Path) -> "Checkout":
        """What `copy` made, or will make, in this folder."""
        return cls(folder / "checkout", folder / "records")

    @property
    def package(self) -> Path:
        return self.folder / "workflow" / "lib" / "interference"

    @property
    def results(self) -> Path:
        """What the tiny experiment made."""
        return self.folder / "results" / "tiny"

    @property
    def environment(self) -> dict[str, str]:
        own = [self.records.parent / "recorder", self.folder / "workflow" / "lib"]
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("SNAKEMAKE_")}
        return {
            **inherited,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(map(str, own)),
            "RECORD_TO": str(self.records),
        }

    def run(self, *command: str, forking: bool = False) -> subprocess.CompletedProcess:
        """Run a command in the copy; stdout and stderr come back together as ``stdout``.

        forking: whether verbs that it starts are forks of one process (`forks`), but for the first of each.
        """
        given = forks.variables(self.records.parent) if forking else {}
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **given},
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def snakemake(self, *arguments: str, config: str = TINY) -> subprocess.CompletedProcess:
        return self.run("snakemake", "--configfile", config, *arguments, forking=True)

    def plan(self, *arguments: str, config: str = TINY) -> Plan:
        """A dry run."""
        given = ("--configfile", config, "--dry-run", *arguments)
        status, said = snakemake(self.folder, self.environment, given)
        assert status == 0, said
        outputs, starts = {}, set()
        for block in re.split(r"^rule ", said, flags=re.MULTILINE)[1:]:
            rule = block.partition(":")[0]
            if rule == "all":
                continue
            found = re.search(r"^    wildcards: (.*)$", block, re.MULTILINE)
            wildcards = [part.partition("=")[2] for part in found[1].split(", ")] if found else []
            name = "/".join([rule, *wildcards])
            outputs[name] = re.search(r"^    output: (.*)$", block, re.MULTILINE)[1].split(", ")
            if "Params have changed" in block:
                starts.add(name)
        assert outputs or "Nothing to be done" in said, said
        return Plan(outputs, starts)

    def write(self, path: str, change: Callable[[str], str], *, old_time: bool = False) -> None:
        """Change a file's text until `restore`; with ``old_time`` it looks ten years old."""
        file = self.folder / path
        if file not in self._saved:
            stat = file.stat()
            self._saved[file] = file.read_bytes(), (stat.st_atime_ns, stat.st_mtime_ns)
        before = file.read_text(encoding="utf-8")
        after = change(before)
        assert after != before, f"{path}: the edit changes nothing"
        file.write_text(after, encoding="utf-8")
        if old_time:
            ten_years_ago = self._saved[file][1][1] - 10 * 365 * 24 * 3600 * 10**9
            os.utime(file, ns=(ten_years_ago, ten_years_ago))

    def replace(self, path: str, old: str, new: str, *, old_time: bool = False) -> None:
        """Replace the one place where a file says ``old``, until `restore`."""
        assert (self.folder / path).read_text(encoding="utf-8").count(old) == 1, (
            f"{path}: {old!r} is not there once"
        )
        self.write(path, lambda text: text.replace(old, new), old_time=old_time)

    def restore(self) -> None:
        """Undo what `write` and `replace` did, file times too."""
        for file, (content, times) in self._saved.items():
            file.write_bytes(content)
            os.utime(file, ns=times)
        self._saved.clear()

    def recorded(self) -> list[dict]:
        """What each verb loaded: its arguments, and the names of modules; of forks the package's alone."""
        return [
            json.loads(path.read_text(encoding="utf-8")) for path in sorted(self.records.iterdir())
        ]


def rule_blocks() -> dict[str, str]:
    """The text of every rule by its name. Tables share one, and figures: a loop's, set back."""
    blocks = {}
    for path in (REPO / "workflow" / "rules").glob("*.smk"):
        for block in re.split(r"^(?=rule |for )", path.read_text(), flags=re.MULTILINE):
            if block.startswith("rule "):
                blocks[block.removeprefix("rule ").partition(":")[0]] = block
            elif loop := re.match(r"for (table|figure) in \w+:\n\n    rule", block):
                text = re.sub(r"^    ", "", block[loop.end() :], flags=re.MULTILINE)
                entries = {"table": TABLES, "figure": FIGURES}[loop[1]]
                blocks |= {entry.rule: text for entry in entries}
    return blocks


def contents(results: Path) -> dict[str, str]:
    """SHA-256 of every result by its path; names with a leading dot are what a killed job left."""
    files = {}
    for path in sorted(results.rglob("*")):
        parts = path.relative_to(results).parts
        name = "/".join(parts)
        if {parts[0], name} & {*UNCOMPARED} or any(part[0] == "." for part in parts):
            continue
        if path.is_file():
            files[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return files


def without(values: dict, sections: Iterable[str]) -> dict:
    """A config that lacks these sections."""
    assert set(sections) <= set(values)
    return {name: section for name, section in values.items() if name not in sections}


def chosen(jobs: Iterable[str], *patterns: str) -> set[str]:
    """Jobs that the patterns pick: a rule's name, or RULE/WILDCARDS; each must pick some."""
    picked = set()
    for pattern in patterns:
        some = {job for job in jobs if fnmatch(job, pattern) or job.startswith(f"{pattern}/")}
        assert some, f"no job is called {pattern}"
        picked |= some
    return picked


def with_code(source: str) -> str:
    """A module's source with a line of code more."""
    return source + "\n_EDITED = 1\n"


def forget_sources() -> None:
    """Let the next spec be made from the package as it is on disk now."""
    provenance._module.cache_clear()
    provenance.code_digest.cache_clear()
