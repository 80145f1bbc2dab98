"""Finds a network's weights among the tensors of a file, whatever prefix their names have.

Programs put words before a network's own names: `module.` (DataParallel), `_orig_mod.`
(torch.compile), `model.`, `net.`, `backbone.` (Lightning, and own modules). Which words they are
does not matter: the prefix is taken under which exactly the architecture lies, and the log names it.
Where something else stands beside the network, or the network stands there twice, nothing tells
which was meant, and the error says what lies where.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from interference import progress
from interference.models.architectures import ARCHITECTURES
from interference.models.hub import CheckpointError

#: Keys under which a file may keep its state dict, in the order in which they are tried.
WRAPPERS = ("state_dict", "model_state_dict", "model")
#: How deep dicts are searched for a state dict.
DEPTH = 4
#: Name of batch norms' counters; no prediction needs them, and PyTorch before 0.4.1 saved none.
COUNTER = "num_batches_tracked"
#: What wrapped submodules put inside names: of torch.compile, DataParallel, FSDP, checkpointing.
_INSIDE = re.compile(
    r"(?<![^.])(?:_orig_mod|module|_fsdp_wrapped_module|_checkpoint_wrapped_module)\."
)
#: DenseNet's names in torchvision before 0.2: `norm.1` for `norm1`.
_OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|conv))\.(?=[12]\.)")
#: The last word of what normalises pixels, beside a network.
_NORMALISER = re.compile(r"(?:^|[._])(mean|std)$")


@dataclass(frozen=True)
class Place:
    """One prefix under which an architecture's names occur in a dict of the file.

    tensors: that dict. entry: the keys that lead to it in the file, joined by dots.
    spelling: how its keys were changed, for the log. prefix: before the architecture's names.
    count: how many of the architecture's names are there. lacks: those that are not, but for
    counters. strange: names under its modules that it does not have. shapes: its names whose tensor
    has another shape. beside: full keys of all else.
    """

    tensors: dict[str, Tensor]
    entry: str
    spelling: str
    prefix: str
    count: int
    lacks: list[str]
    strange: list[str]
    shapes: list[str]
    beside: list[str]

    @property
    def whole(self) -> bool:
        """Whether the network is there; something may stand beside it."""
        return not (self.lacks or self.strange or self.shapes)

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[self.prefix + name]

    def __contains__(self, name: str) -> bool:
        return self.prefix + name in self.tensors


def matched(
    entries: object, wanted: Mapping[str, Tensor], model: str, source: dict, path: Path
) -> dict[str, Tensor]:
    """Return the weights of an architecture by its own names, in its own order and dtypes.

    entries: what the file holds, a state dict or dicts with one inside. wanted: a state dict of the
    architecture. model: the network's name. source: format and architecture, as in its spec.
    Missing counters of batch norms become zeros.
    Raises CheckpointError where the network is not there, or not alone.
    """
    places = [place for tensors in _spelt(entries, path) for place in _places(*tensors, wanted)]
    taken = [place for place in places if place.whole and not place.beside]
    if not taken:
        raise CheckpointError(_amiss(places, wanted, model, source, path))
    place, others = taken[0], {p.entry for p in taken} - {taken[0].entry}
    _tell(place, sorted(others), path)
    counters = [name for name in wanted if name.endswith(COUNTER) and not _counts(place, name)]
    if counters:
        progress.say(
            f"{path.name} is without {len(counters)} of the network's {COUNTER}, as older PyTorch "
            "saved it; no prediction needs them: zeros are in their place"
        )
    return {
        name: torch.zeros_like(tensor) if name in counters else _typed(place, name, tensor, path)
        for name, tensor in wanted.items()
    }


def _state_dicts(entries: object, where: tuple[str, ...] = ()) -> Iterator[tuple[str, Mapping]]:
    """Yield (the keys that lead to it, joined by dots; the dict) for every dict with a tensor."""
    if isinstance(entries, Mapping) and len(where) < DEPTH:
        if any(isinstance(value, Tensor) for value in entries.values()):
            yield ".".join(where), entries
        for key, value in entries.items():
            yield from _state_dicts(value, (*where, str(key)))


def _rank(where: str) -> list[int]:
    order = {key: rank for rank, key in enumerate(WRAPPERS)}
    return [order.get(key, len(order)) for key in where.split(".") if where]


def _spelt(entries: object, path: Path) -> Iterator[tuple[dict, str, str]]:
    """Yield every state dict, as it is and respelt: (key → value, entry, spelling), best first.

    Raises CheckpointError where there is no state dict.
    """
    state_dicts = sorted(_state_dicts(entries), key=lambda item: _rank(item[0]))
    if not state_dicts:
        inner = entries
        while isinstance(inner, Mapping) and (keys := [key for key in WRAPPERS if key in inner]):
            inner = inner[keys[0]]
        if isinstance(inner, Mapping) and inner:
            raise CheckpointError(
                f"{path} holds {some(list(inner))} that are no tensors; save model.state_dict() "
                f"alone, or under one of {', '.join(WRAPPERS)}"
            )
        raise CheckpointError(f"{path} holds no state dict; save model.state_dict(), not the model")
    for where, entry in state_dicts:
        state = {str(key): value for key, value in entry.items()}
        yield state, where, ""
        for pattern, by, spelling in (
            (_INSIDE, "", "without the wrappers inside them (_orig_mod, module)"),
            (_OLD_DENSENET, r"\1", "as torchvision writes them since 0.2 (norm1 for norm.1)"),
        ):
            changed = {pattern.sub(by, key): value for key, value in state.items()}
            if changed.keys() != state.keys() and len(changed) == len(state):
                yield changed, where, spelling


def _places(
    state: dict, where: str, spelling: str, wanted: Mapping[str, Tensor]
) -> Iterator[Place]:
    """Yield a place per prefix of the architecture's names, the most frequent first."""
    counts: Counter[str] = Counter()
    for key in state:
        words = key.split(".")
        for start in range(len(words)):
            if ".".join(words[start:]) in wanted:
                counts["".join(f"{word}." for word in words[:start])] += 1
    own = {name.partition(".")[0] for name in wanted}
    for prefix, count in counts.most_common() or [("", 0)]:
        inside = {key.removeprefix(prefix) for key in state if key.startswith(prefix)}
        lacks = sorted(n for n in wanted if n not in inside and not n.endswith(COUNTER))
        strange = sorted(n for n in inside - wanted.keys() if n.partition(".")[0] in own)
        ours = {prefix + name for name in inside & wanted.keys()} | {prefix + n for n in strange}
        shapes = [
            name
            for name, tensor in wanted.items()
            if name in inside and getattr(state[prefix + name], "shape", None) != tensor.shape
        ]
        beside = sorted(state.keys() - ours)
        yield Place(state, where, spelling, prefix, count, lacks, strange, shapes, beside)


def _tell(place: Place, others: list[str], path: Path) -> None:
    if place.entry or place.prefix:
        progress.say(f"{path.name}: the network {_at(place)} is taken")
    if others:
        progress.say(
            f"{path.name} holds one under {', '.join(others)} too, which is not looked at; to take "
            "that, save it alone"
        )
    if place.spelling:
        progress.say(f"{path.name}: names are read {place.spelling}")


def _at(place: Place) -> str:
    prefix = f"under `{place.prefix}`" if place.prefix else "under no prefix"
    if place.entry:
        return f"of its entry `{place.entry}`" + (f" {prefix}" if place.prefix else "")
    return prefix


def _counts(place: Place, name: str) -> bool:
    """Return whether a counter is there and finite: a half float ends at 65,504."""
    return name in place and bool(place[name].isfinite().all())


def _typed(place: Place, name: str, wanted: Tensor, path: Path) -> Tensor:
    """Return a tensor in the dtype of ``wanted``. Raises CheckpointError where that cannot be."""
    tensor, dtype = place[name], wanted.dtype
    plain = tensor.layout is torch.strided and tensor.device.type == "cpu"
    if not plain or (dtype.is_floating_point and not tensor.dtype.is_floating_point):
        raise CheckpointError(
            f"{path}: {name} is {tensor.dtype} ({tensor.layout}, on {tensor.device}), no plain floats; "
            "save the network before it is quantised, packed or emptied"
        )
    value = tensor.to(dtype).contiguous()  # before isfinite: float8 has none, float64 may overflow
    if not bool(value.isfinite().all()):
        raise CheckpointError(f"{path}: {name} is not finite; fetch it again")
    return value


def _amiss(
    places: list[Place], wanted: Mapping[str, Tensor], model: str, source: dict, path: Path
) -> str:
    """Return why none of the places will do, and the mend."""
    architecture, own = source["architecture"], source["format"] != "madrylab"
    best = max(places, key=lambda place: (place.whole, place.count))
    if best.whole and own:
        whole = [place for place in places if place.whole and place.tensors is best.tensors]
        return _beside(whole, architecture, model, path)
    under = f" (under `{best.prefix}`)" if best.prefix else ""
    classes = _classes(best, wanted)
    names = []
    if best.lacks:
        names.append(f"lacks {some(best.lacks)}{under}")
    if best.strange or best.beside:
        names.append(f"holds {some(best.strange or best.beside)}")
    said = f"{path} is no {architecture}: " + (f"it {' and '.join(names)}; " if names else "")
    for name in best.shapes[:1]:
        shape = tuple(getattr(best[name], "shape", ()))
        said += f"{name} is {shape}, should be {tuple(wanted[name].shape)}"
        if classes and own:
            return (
                f"{said}: its classes are {classes}; write classes: {classes} in "
                f"models.networks.{model}"
            )
        said += "; "
    fitting = [n for n in ARCHITECTURES if n != architecture and _hold(places, n)]
    if fitting and own:
        return f"{said}it is a {fitting[0]}: write architecture: {fitting[0]}"
    if fitting:
        return f"{said}it is a {fitting[0]}: another file lies under this name; fetch it again"
    if not own:
        return f"{said}fetch it again"
    stem = (
        "; its first convolution is not ImageNet's (7 x 7, of three channels), which networks in "
        "files must have"
        if best.shapes == ["conv1.weight"] and not names
        else ""
    )
    return (
        f"{said}no architecture fits it that can be named here ({', '.join(ARCHITECTURES)}){stem}; "
        "save a network of one of these"
    )


def _beside(places: list[Place], architecture: str, model: str, path: Path) -> str:
    """Return the error for a file that holds the network more than once, or more than that."""
    place = places[0]
    if len(places) > 1:
        at = " and ".join(map(_at, places))
        said = f"{path} holds a {architecture} {len(places)} times, {at}"
    else:
        said = f"{path} holds the {architecture} {_at(place)}, and beside it {some(place.beside)}"
    values: dict[str, list[float]] = {}
    for key in place.beside:
        word, value = _NORMALISER.search(key), place.tensors[key]
        if word and "running_" not in key and isinstance(value, Tensor) and value.numel() in (1, 3):
            values.setdefault(word[1], [round(v, 6) for v in value.flatten().tolist()])
    if values:
        written = ", ".join(f"{name}: {value}" for name, value in values.items())
        said += (
            f"; its normaliser ({written}) belongs in models.networks.{model}.mean and .std, in units "
            "of pixels in [0, 1]"
        )
    start = place.prefix
    names = (
        f"{{k.removeprefix({start!r}): v for k, v in state.items() if k.startswith({start!r})}}"
        if start
        else "model.state_dict()"
    )
    which = "the one that you mean" if len(places) > 1 else "it"
    return f"{said}; save {which} alone: torch.save({names}, FILE)"


def _classes(place: Place, wanted: Mapping[str, Tensor]) -> int | None:
    """Return the number of classes in the file where only that differs, else None."""
    layer = list(wanted)[-1].rpartition(".")[0]
    head = [name for name in wanted if name.rpartition(".")[0] == layer]
    if place.lacks or place.strange or not set(place.shapes) <= set(head):
        return None
    shapes = [tuple(getattr(place[name], "shape", ())) for name in head]
    rows = {shape[:1] for shape in shapes}
    if len(rows) > 1 or any(a[1:] != wanted[n].shape[1:] for a, n in zip(shapes, head)):
        return None
    return shapes[0][0] if shapes[0] else None


def _hold(places: list[Place], architecture: str) -> bool:
    """Return whether a dict of the file holds ``architecture``, of any number of classes."""
    with torch.device("meta"):  # shapes alone
        wanted = ARCHITECTURES[architecture].build(2).state_dict()
    dicts = {id(place.tensors): (place.tensors, place.entry, place.spelling) for place in places}
    best = (next(_places(*tensors, wanted)) for tensors in dicts.values())
    return any(_classes(place, wanted) is not None for place in best)


def some(names: list[str]) -> str:
    """Return the first three of names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(map(str, names[:3]))}{more}"
