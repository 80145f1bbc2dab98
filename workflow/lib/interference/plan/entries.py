"""What the catalogue is made of: steps, tables, figures and the page, and their inputs."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter


@dataclass(frozen=True)
class Step:
    """A kind of job: rule NAME runs `interference ROOM NAME`, which is `run` of interference.ROOM.NAME.

    room: a key of `steps.ROOMS`.
    does: the help of its verb, a sentence.
    gpu: whether it uses a GPU where there is one.
    """

    room: str
    name: str
    does: str
    gpu: bool = False


@dataclass(frozen=True)
class Input:
    """An input of a table or figure: one output of every job of a step.

    step: the rule of the step or table that makes it.
    path: path under the experiment's results. A wildcard that the entry's own path has is that of the
        job; each other stands for everything of its kind in the experiment. The wildcards, in order, are
        the arguments of the step's spec.
    needs: what of `Inventory.has` makes it, where its entry has jobs without it, too.
    """

    step: str
    path: str
    needs: str | None = None


@dataclass(frozen=True)
class Entry(ABC):
    """A table, a figure or the page.

    inputs: inputs by the name that the shell line and the module use.
    arms: arms that it describes; it has jobs where the experiment has one of them.
    needs: what of `Inventory.has` it has no jobs without, beside an arm.
    settings: names of the settings that it reads of the config, see `Inventory.settings`.
    """

    name: str
    inputs: Mapping[str, Input]
    arms: tuple[str, ...] = ("networks",)
    needs: str | None = None
    settings: tuple[str, ...] = ()

    @property
    @abstractmethod
    def rule(self) -> str:
        """Name of its rule."""

    @property
    @abstractmethod
    def path(self) -> str:
        """Path of its outputs under its room's results, without a suffix."""


@dataclass(frozen=True)
class Table(Entry):
    """A table, made by one job; its module returns the rows."""

    @property
    def rule(self) -> str:
        return f"{self.name}_table"

    @property
    def path(self) -> str:
        return f"tables/{self.name}"


@dataclass(frozen=True)
class Figure(Entry):
    """A figure, drawn by one job per way to fill the wildcards of its path.

    file: path under results/EXPERIMENT/analysis/figures, without a suffix.
    category: section of the report that shows it.
    labels: labels in the report; empty for a figure labelled by the training of its network.
    """

    file: str = field(kw_only=True)
    category: str = field(kw_only=True)
    labels: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    @property
    def rule(self) -> str:
        return f"{self.name}_figure"

    @property
    def path(self) -> str:
        return f"figures/{self.file}"


@dataclass(frozen=True)
class Page(Entry):
    """The page that a run ends with, made by one job."""

    @property
    def rule(self) -> str:
        return self.name

    @property
    def path(self) -> str:
        return self.name


def wildcards(path: str) -> list[str]:
    """Names of a path's wildcards, in order: those in braces."""
    return [name for _, name, _, _ in Formatter().parse(path) if name is not None]


def table(name: str, needs: str | None = None) -> Input:
    """A table of the catalogue as the input of another table or of a figure."""
    return Input(f"{name}_table", f"analysis/tables/{name}.parquet", needs)
