"""What a run made, as objects, for notebooks and scripts: `interference.open` gives a `Results`.

A table, an SAE or a network is read when it is asked for, and the libraries that it needs are loaded
then. Where something is not there, the error says what is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn, get_args

from interference.provenance import InterferenceError

if TYPE_CHECKING:
    import pandas as pd

    from interference.activations.standardise import Statistics
    from interference.config.schema import Config
    from interference.data.read import Images
    from interference.models.network import Network
    from interference.saes.dictionary import Dictionary
    from interference.store.arrays import Reader

Split = Literal["train", "heldout", "evaluation"]


@dataclass(frozen=True)
class Sae:
    """One trained SAE of a sweep.

    sparsity: its place in the sweep, k in latents per row or a penalty. seed: of its initialisation.
    metrics: on held-out rows, by name, such as ``fvu`` and ``l0``; docs/results.md has all.
    dictionary: encodes and decodes standardised rows.
    """

    sparsity: float
    seed: int
    metrics: Mapping[str, float]
    dictionary: "Dictionary" = field(repr=False)


@dataclass(frozen=True)
class Activations:
    """What a layer says, standardised per channel.

    train: (rows, d) float16, shuffled. heldout: (images, positions, d) float32. Both are read when
    sliced: ``heldout[:8]``.
    statistics: mean and std of the raw channels; ``statistics.restore`` returns to raw activations.
    """

    train: "Reader"
    heldout: "Reader"
    statistics: "Statistics"


class Tables(Mapping[str, "pd.DataFrame"]):
    """The tables of an experiment by name, each read once: ``tables["l0"]``."""

    def __init__(self, folder: Path):
        self._folder, self._names = folder, _names(folder, ".parquet")
        self._read: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> "pd.DataFrame":
        from interference.analysis.frames import read_frame

        if name not in self._read:
            if name not in self._names:
                _missing(f"{self._folder}: table {name!r}", self._names)
            self._read[name] = read_frame(self._folder / f"{name}.parquet")
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"Tables({', '.join(self)})"


class Results:
    """The results of one experiment, results/EXPERIMENT."""

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        if not (self.folder / "analysis" / "tables").is_dir():
            raise InterferenceError(
                f"{folder} holds no results: no folder analysis/tables; name results/EXPERIMENT of a "
                "finished run"
            )

    def __repr__(self) -> str:
        there = {"tables": self.tables, "figures": self.figures, "networks": self.models}
        counts = (f"{len(found)} {name}" for name, found in there.items())
        return f"<results of {self.folder.name}: {', '.join(counts)}>"

    @cached_property
    def config(self) -> "Config":
        """The experiment's config. Raises ConfigError."""
        from interference.config.load import KEPT, read_config

        return read_config(self.folder / KEPT)

    @cached_property
    def tables(self) -> Tables:
        """Tables as frames, by name; docs/results.md has their columns."""
        return Tables(self.folder / "analysis" / "tables")

    @property
    def claims(self) -> "pd.DataFrame":
        """The table claims: every claim beside what was measured, with a verdict."""
        return self.tables["claims"]

    @property
    def models(self) -> list[str]:
        """Names of the networks."""
        return [n for n in _names(self.folder / "models", ".json") if not n.startswith("trunk-")]

    def images(self, split: Split = "evaluation") -> "Images":
        """Images of a split: pixels (n, channels, height, width) uint8, read when sliced, and labels."""
        from interference.data.read import read_split

        if split not in get_args(Split):
            _missing(f"{self.folder}: split {split!r}", get_args(Split))
        return read_split(self.folder / "data" / "images.json", split)

    def network(self, model: str) -> "Network":
        """A network, a torch module in eval mode: pixels (n, channels, height, width) in [0, 1] → logits."""
        from interference.models.network import load_network

        if model not in self.models:
            _missing(f"{self.folder}: network {model!r}", self.models)
        return load_network(self.folder / "models" / f"{model}.json")

    def activations(self, model: str, layer: str) -> Activations:
        """The rows of a network's layer that SAEs are trained and scored on."""
        from interference.activations.standardise import Statistics
        from interference.store.arrays import open_array
        from interference.store.files import read_json

        rows = self._layer("activations", model, layer) / "rows.json"
        manifest = read_json(rows)
        train, heldout = (
            open_array(rows.with_suffix(f".{part}.zarr"), manifest[part])
            for part in ("train", "heldout")
        )
        return Activations(train, heldout, Statistics.read(rows))

    def sae(self, model: str, layer: str, type: str) -> list[Sae]:
        """Every SAE of one type on a network's layer, in the order of the sweep."""
        from interference.saes.dictionary import unstack
        from interference.store.tensors import read_described

        folder = self._layer("saes", model, layer)
        types = [name for name in _names(folder, ".json") if name != "baselines"]
        if type not in types:
            _missing(f"{folder}: SAEs of type {type!r}", types)
        arrays, manifest = read_described(folder / f"{type}.json")
        return [
            Sae(metrics.pop("sparsity"), metrics.pop("sae_seed"), metrics, dictionary)
            for metrics, dictionary in zip(manifest["members"], unstack(arrays), strict=True)
        ]

    @property
    def figures(self) -> list[str]:
        """Names of the figures: paths under analysis/figures, such as l0/clean-s0."""
        root = self.folder / "analysis" / "figures"
        paths = root.rglob("*.svg")
        return sorted(path.relative_to(root).with_suffix("").as_posix() for path in paths)

    def figure(self, name: str) -> Path:
        """The SVG file of a figure; a PNG of the same name lies beside it."""
        if name not in self.figures:
            _missing(f"{self.folder}: figure {name!r}", self.figures)
        return self.folder / "analysis" / "figures" / f"{name}.svg"

    def _layer(self, room: str, model: str, layer: str) -> Path:
        """The folder of a network's layer in a room. Raises InterferenceError where there is none."""
        path = self.folder / room
        for name in (model, layer):
            there = sorted(inner.name for inner in path.iterdir()) if path.is_dir() else []
            if name not in there:
                _missing(f"{path}: {name!r}", there)
            path /= name
        return path


def _names(folder: Path, suffix: str) -> list[str]:
    """Names of the files of a suffix in a folder, without it; none where there is no folder."""
    paths = folder.glob(f"[!.]*{suffix}")
    return sorted(path.name.removesuffix(suffix) for path in paths)


def _missing(what: str, there: Iterable[str]) -> NoReturn:
    raise InterferenceError(f"{what} is not there; there are {', '.join(there) or 'none'}")
