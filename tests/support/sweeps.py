"""Small sweeps: rows of a layer on disk, and the spec of a job that trains on them."""

import numpy as np

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
