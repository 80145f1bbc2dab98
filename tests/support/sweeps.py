"""Small sweeps: rows of a layer on disk, and the spec of a job that trains on them."""

import importlib
from types import ModuleType

import numpy as np

from interference.saes.member import Member
from interference.saes.stepper import compiled
from interference.store.arrays import writing
from interference.store.files import write_json

D = 8
MODEL = {"model": "m", "model_norm": "l2", "model_epsilon": 1.0, "model_seed": 0}
TOPK = {"k": [2, 4], "aux_k": 8, "aux_weight": 1.0, "dead_after": 5}
SETTINGS = {
    "topk": TOPK,
    "batch_topk": TOPK,
    "matryoshka": {**TOPK, "prefixes": [0.25, 1.0]},
    "jumprelu": {
        "l0": [0.1, 0.4],
        "warmup_fraction": 0.05,
        "initial_threshold": 0.1,
        "bandwidth": 0.1,
    },
    "gated": {"l1": [0.1, 0.4], "warmup_fraction": 0.05},
    "relu_l1": {"l1": [0.1, 0.4], "warmup_fraction": 0.05, "gradient_clip": 1.0},
}


def spec(name="topk", rows=1000, seeds=(0, 1), **settings):
    training = {"expansion_factor": 2, "learning_rate": 2e-3, "decay_fraction": 0.2}
    return {
        "model": MODEL,
        "layer": "stem",
        "type": name,
        "settings": {**SETTINGS[name], **settings},
        "training": {**training, "rows": rows, "batch_size": 50},
        "seeds": list(seeds),
    }


def store(path, values, dtype="float16"):
    """Write a store; its manifest."""
    with writing(path, values.shape, dtype, {}) as writer:
        writer.append(values)
    return writer.manifest()


def write_rows(rows, train=None, heldout=None, said=None):
    """Write a layer's rows beside the manifest ``rows``; ``said`` replaces what the manifest says."""
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((400, D)), rng.standard_normal((30, 2, D))
    train, heldout = drawn[0] if train is None else train, drawn[1] if heldout is None else heldout
    content = {
        "spec": {"model": MODEL, "layer": "stem"},
        "train": store(rows.with_suffix(".train.zarr"), train),
        "heldout": store(rows.with_suffix(".heldout.zarr"), heldout, "float32"),
    }
    for name, part in (said or {}).items():
        content[name] = content[name] | part
    write_json(rows, content)
    return rows


def type_of(name: str) -> ModuleType:
    """The module of an SAE type."""
    return importlib.import_module(f"interference.saes.types.{name}")


def members_of(name: str, d=D, latents=2 * D, settings=None, seed=0) -> list[Member]:
    """Untrained members of a sweep, by default that of `SETTINGS`."""
    module = type_of(name)
    settings = module.Settings(**(SETTINGS[name] if settings is None else settings))
    sweep = getattr(settings, module.SPARSITY)
    return [Member(module, settings, sparsity, d, latents, seed) for sparsity in sweep]


def step_of(member: Member):
    """The compiled step of a member."""
    return compiled(member.sae_type).Step(member)


def compiled_gradients(member: Member, x: np.ndarray, share=1.0) -> dict[str, np.ndarray]:
    """By the compiled step, which brings the member's state up to date. share: of the penalty."""
    step = step_of(member)
    penalty = [share * step.penalty] if hasattr(step, "penalty") else []
    return step.gradients(x, *penalty)


def autograd_gradients(member: Member, x: np.ndarray, share=1.0) -> dict[str, np.ndarray]:
    """By autograd of the type's own loss, float64; the member's state stays as it was."""
    import torch  # here alone: processes that train without it would load it for nothing

    p = {
        name: torch.tensor(array, dtype=torch.float64, requires_grad=True)
        for name, array in member.parameters.items()
    }
    state = {name: torch.tensor(array) for name, array in member.state.items()}
    sparsity = torch.tensor(share * member.sparsity, dtype=torch.float64)
    rows = torch.tensor(x, dtype=torch.float64)
    loss = member.sae_type.loss(p, rows, sparsity, member.settings, state)
    found = torch.autograd.grad(loss, list(p.values()))
    return {name: gradient.numpy() for name, gradient in zip(p, found, strict=True)}
