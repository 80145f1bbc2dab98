"""What training keeps in hidden files beside its output, so that no finished step is done twice.

A checkpoint holds the members that are in training and the number of their steps, which fixes the
batches to come (rows.py); it goes when the job is done. A finished member has a file of its own,
which stays, so that a sweep that grows by a sparsity or a seed trains only what is new. Both are
named by a digest of all that determines their bytes, so a file of anything else is never taken up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from interference.provenance import canonical, digest
from interference.saes.dictionary import Dictionary, stack, unstack
from interference.saes.member import Member
from interference.store.tensors import read_kept, read_tensors, write_kept, write_tensors


@dataclass(frozen=True)
class State:
    """The hidden files of one job.

    output: its manifest; spec: the job's; sparsity: the name of the sweep in the spec's settings;
    rows: SHA-256 of the rows that it trains on, which the spec does not name.
    """

    output: Path
    spec: dict
    sparsity: str
    rows: str

    @property
    def checkpoint(self) -> Path:
        return self._path({**self._job, "trained_on": self.rows}, "checkpoint")

    def member(self, sparsity: float, seed: int) -> Path:
        return self._path(self._identity(sparsity, seed), "member")

    def save(self, seed: int, steps: int, members: Mapping[float, Member]) -> None:
        """Write a checkpoint of the members (by sparsity) of one seed, after ``steps`` steps."""
        arrays = {
            f"{sparsity}/{name}": array
            for sparsity, member in members.items()
            for name, array in member.arrays().items()
        }
        adam = {str(sparsity): member.adam.steps for sparsity, member in members.items()}
        cursor = {"spec": self.spec, "seed": seed, "steps": steps, "adam_steps": adam}
        write_tensors(self.checkpoint, arrays, cursor)

    def resume(self, seed: int, members: Mapping[float, Member]) -> int:
        """Bring fresh members to the checkpoint and return its steps; 0 where it is not theirs."""
        if not self.checkpoint.exists():
            return 0
        saved, cursor = read_tensors(self.checkpoint)
        if cursor["seed"] != seed or not cursor["adam_steps"].keys() >= set(map(str, members)):
            return 0
        for sparsity, member in members.items():
            for name, array in member.arrays().items():
                array[...] = saved[f"{sparsity}/{name}"]
            member.adam.steps = cursor["adam_steps"][str(sparsity)]
        return cursor["steps"]

    def keep(self, sparsity: float, seed: int, dictionary: Dictionary) -> None:
        """Store a finished member."""
        identity = self._identity(sparsity, seed)
        write_kept(self.member(sparsity, seed), stack([dictionary]), identity)

    def kept(self, sparsity: float, seed: int) -> Dictionary | None:
        """A finished member, or None where there is none. Raises StoreError."""
        arrays = read_kept(self.member(sparsity, seed), self._identity(sparsity, seed))
        return None if arrays is None else unstack(arrays)[0]

    def clear(self) -> None:
        """Remove every checkpoint of this output: the job is done."""
        for path in self.output.parent.glob(f".{self.output.stem}.*.checkpoint.safetensors"):
            path.unlink(missing_ok=True)

    @property
    def _job(self) -> dict:
        """The spec, but for how the rows came to be: they are known by what they are."""
        return {name: value for name, value in self.spec.items() if name != "inputs"}

    def _identity(self, sparsity: float, seed: int) -> dict:
        """All that determines a member: the spec without the rest of its sweep, and the rows."""
        settings = {**self.spec["settings"], self.sparsity: sparsity}
        own = {"settings": settings, "seeds": seed, "trained_on": self.rows}
        return {**self._job, **own}

    def _path(self, identity: dict, kind: str) -> Path:
        key = digest(canonical(identity))
        return self.output.with_name(f".{self.output.stem}.{key}.{kind}.safetensors")
