"""Train a sweep: every sparsity and seed of one SAE type, in one pass over a layer's rows.

Members see the same batches and share nothing else: a member's bytes do not depend on which other
members train beside it.
"""

import importlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from interference import progress
from interference.saes.dictionary import Dictionary, calibrated_threshold, stack
from interference.saes.metrics import score
from interference.saes.rows import batches
from interference.store.arrays import open_array
from interference.store.files import StoreError, read_json, sha256, write_json
from interference.store.tables import write_table
from interference.store.tensors import write_tensors

#: Training rows that set the threshold of threshold inference.
CALIBRATION_ROWS = 8192


@dataclass(frozen=True)
class Training:
    """rows: seen in all; learning_rate: constant, then falling to 0 over the last part."""

    expansion_factor: int
    learning_rate: float
    decay_fraction: float
    rows: int
    batch_size: int

    def rate(self, fraction: float) -> float:
        """The learning rate after ``fraction`` of training."""
        left = 1 - fraction
        decaying = self.decay_fraction and left < self.decay_fraction
        return self.learning_rate * (left / self.decay_fraction if decaying else 1.0)


def train(sae_type, settings, training: Training, store, seeds: list[int]) -> dict:
    """(sparsity, seed) → trained Dictionary.

    sae_type: a module of interference.saes.types; store: rows (n, d) float16, shuffled.
    """
    d = store.shape[1]
    latents = d * training.expansion_factor
    sweep = getattr(settings, sae_type.SPARSITY)
    dictionaries = {}
    steps = training.rows // training.batch_size
    for seed in seeds:
        members = {s: sae_type.Member(settings, s, d, latents, seed) for s in sweep}
        feed = batches(store, training.batch_size, training.rows, seed)
        for step, x in enumerate(progress.track(feed, total=steps, label=f"seed {seed}, steps")):
            for member in members.values():
                member.step(x, training.rate(step / steps), step / steps)
        dictionaries |= {(s, seed): member.dictionary() for s, member in members.items()}
    return dictionaries


def calibrate(dictionary: Dictionary, rows: np.ndarray) -> Dictionary:
    """Give a dictionary with a k its threshold. rows: (n, d) float32 training rows."""
    if not dictionary.k:
        return dictionary
    threshold = calibrated_threshold(dictionary.rectified(rows), dictionary.k)
    return replace(dictionary, threshold=threshold)


def fit(spec: dict, rows: Path, output: Path) -> None:
    """The job. Beside the manifest ``output``, which holds each member's metrics, it writes

    - .safetensors: the sweep stacked: w_enc, w_dec (members, h, d); b_enc, threshold (members, h);
      b_dec (members, d); k, pooled (members,). The manifest has the mean threshold over latents;
    - .parquet: one row a (member, held-out image): squared error, deviation, l0.
    """
    sae_type = importlib.import_module(f"interference.saes.types.{spec['type']}")
    settings, training = sae_type.Settings(**spec["settings"]), Training(**spec["training"])
    manifest = read_json(rows)
    store = open_array(rows.with_suffix(".train.zarr"), manifest["train"])
    heldout = open_array(rows.with_suffix(".heldout.zarr"), manifest["heldout"])[:]
    dictionaries = train(sae_type, settings, training, store, spec["seeds"])
    calibration = store[:CALIBRATION_ROWS].astype(np.float32)
    members, table, stacked = [], [], []
    for (sparsity, seed), trained in dictionaries.items():
        dictionary = calibrate(trained, calibration)
        arrays = (dictionary.w_enc, dictionary.w_dec, dictionary.threshold)
        if not all(np.isfinite(array).all() for array in arrays):
            raise StoreError(
                f"training diverged at {sae_type.SPARSITY} = {sparsity}: lower the rate"
            )
        scores = score(dictionary, heldout)
        member = {"sparsity": float(sparsity), "sae_seed": seed}
        members.append(
            {**member, **scores.summary, "threshold": float(np.mean(dictionary.threshold))}
        )
        stacked.append(dictionary)
        table.append((member, scores))
        progress.say(f"{members[-1]}")
    weights = output.with_suffix(".safetensors")
    write_tensors(weights, stack(stacked), spec)
    identity = {**spec["model"], "layer": spec["layer"], "type": spec["type"]}
    write_table(output.with_suffix(".parquet"), {**identity, **_per_image(table)})
    write_json(
        output,
        {
            "spec": spec,
            "sha256": sha256(weights),
            "members": members,
            "unique_rows": store.shape[0],
            "epochs": training.rows / store.shape[0],
        },
    )


def _per_image(table: list) -> dict[str, np.ndarray]:
    images = len(table[0][1].l0)
    columns = {
        name: np.repeat([member[name] for member, _ in table], images)
        for name in ("sparsity", "sae_seed")
    }
    columns["image"] = np.tile(np.arange(images), len(table))
    for name in ("squared_error", "deviation", "l0"):
        columns[name] = np.concatenate([getattr(scores, name) for _, scores in table])
    return columns
