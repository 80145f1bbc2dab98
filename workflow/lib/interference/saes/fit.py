"""Train a sweep: every sparsity and seed of one SAE type, in one pass over a layer's rows.

Members see the same batches and share nothing else: a member's bytes do not depend on which other
members train beside it (on a GPU, only their rounding). So one that is finished need not train again
when its sweep grows, and training that is interrupted goes on from its last checkpoint, with the
same bytes at the end.
"""

import importlib
import time
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from interference import progress
from interference.config.saes import Decay, LayerSaes
from interference.provenance import InterferenceError
from interference.saes.dictionary import Dictionary, calibrated_threshold, stack
from interference.saes.member import Member, SaeType
from interference.saes.metrics import per_image, score
from interference.saes.rows import Rows, batches, verify
from interference.saes.state import State
from interference.saes.stepper import stepper
from interference.store.arrays import Reader, open_array
from interference.store.files import StoreError, read_json, sha256, write_json
from interference.store.tables import write_table
from interference.store.tensors import write_tensors

#: Training rows that set the threshold of threshold inference.
CALIBRATION_ROWS = 4096
#: Batches that a member takes in a row before the next member does: its weights stay in cache.
TURN = 8
#: Seconds between two checkpoints.
CHECKPOINT_INTERVAL = 60.0


class TrainingError(InterferenceError):
    """SAEs cannot be trained as asked, or their training diverged."""


class Training(LayerSaes, Decay):
    """How the SAEs of one layer are trained."""

    def rate(self, fraction: float) -> float:
        """The learning rate after ``fraction`` of training."""
        left = 1 - fraction
        decaying = self.decay_fraction and left < self.decay_fraction
        return self.learning_rate * (left / self.decay_fraction if decaying else 1.0)


def train(
    sae_type: SaeType,
    settings: Any,
    training: Training,
    store: Rows,
    seeds: list[int],
    state: State | None = None,
) -> dict[tuple[float, int], Dictionary]:
    """(sparsity, seed) → trained Dictionary. Raises TrainingError where training diverges.

    sae_type: a module of interference.saes.types; store: rows (n, d) float16, shuffled;
    state: where finished members and checkpoints are kept, if anywhere.
    """
    d = store.shape[1]
    latents = d * training.expansion_factor
    sweep = getattr(settings, sae_type.SPARSITY)
    dictionaries: dict[tuple[float, int], Dictionary] = {}
    for seed in seeds:
        kept = {s: state.kept(s, seed) if state else None for s in sweep}
        finished = {s: dictionary for s, dictionary in kept.items() if dictionary is not None}
        left = [s for s in sweep if s not in finished]
        if state and len(left) < len(sweep):
            progress.say(f"seed {seed}: {len(sweep) - len(left)} members are there already")
        members = {s: Member(sae_type, settings, s, d, latents, seed) for s in left}
        if members:
            train_members(members, training, store, seed, state)
        for sparsity, member in members.items():
            finished[sparsity] = made = member.dictionary()
            arrays = (made.w_enc, made.w_dec, made.threshold)
            if not all(np.isfinite(array).all() for array in arrays):
                raise TrainingError(
                    f"training diverged at {sae_type.SPARSITY} = {sparsity}: lower the rate"
                )
            if state:
                state.keep(sparsity, seed, made)
        dictionaries |= {(s, seed): finished[s] for s in sweep}
    return dictionaries


def train_members(
    members: dict[float, Member], training: Training, store: Rows, seed: int, state: State | None
) -> None:
    """Take the members of one seed, by sparsity, from where they are to the end of training."""
    steps = training.rows // training.batch_size
    done = state.resume(seed, members) if state else 0
    if done:
        progress.say(f"seed {seed}: going on from step {done} of {steps}")
    trainer, saved = stepper(list(members.values())), time.monotonic()
    with closing(batches(store, training.batch_size, training.rows, seed, done)) as feed:
        shown = iter(progress.track(feed, total=steps - done, label=f"seed {seed}, steps"))
        while turn := list(islice(shown, TURN)):
            fractions = [(done + i) / steps for i in range(len(turn))]
            trainer.take([(x, training.rate(f), f) for x, f in zip(turn, fractions)])
            done += len(turn)
            if state and time.monotonic() - saved >= CHECKPOINT_INTERVAL:
                trainer.synchronise()
                state.save(seed, done, members)
                saved = time.monotonic()
    trainer.synchronise()


def calibrate(dictionary: Dictionary, rows: np.ndarray) -> Dictionary:
    """Give a dictionary with a k its threshold. rows: (n, d) float32 training rows."""
    if not dictionary.k:
        return dictionary
    threshold = calibrated_threshold(dictionary.rectified(rows), dictionary.k)
    return replace(dictionary, threshold=threshold)


def open_rows(rows: Path, manifest: dict, spec: dict) -> tuple[Reader, np.ndarray]:
    """Training rows (n, d) and held-out rows (images, positions, d), all of them checked.

    manifest: what the file ``rows`` holds. Raises StoreError where they are not those of the spec's
    model and layer, not what their manifest says, or not finite.
    """
    for key in ("model", "layer"):
        found = manifest["spec"][key]
        if found != spec[key]:
            raise StoreError(f"{rows}: {key} is {found}, the job is about {spec[key]}")
    train, heldout = (
        open_array(rows.with_suffix(f".{name}.zarr"), manifest[name])
        for name in ("train", "heldout")
    )
    if heldout.shape[2] != train.shape[1]:
        raise StoreError(
            f"{heldout.path}: {heldout.shape[2]} channels, but {train.path} has {train.shape[1]}"
        )
    verify(train, manifest["train"])
    verify(heldout, manifest["heldout"])
    return train, heldout[:]


def check(sae_type: SaeType, settings: Any, training: Training, store: Rows) -> None:
    """Raise TrainingError where the rows or the latents are too few to train or calibrate on."""
    (count, d), size = store.shape, training.batch_size
    if min(count, training.rows) < size:
        raise TrainingError(
            f"{store.path}: {count} rows, of which training sees {training.rows}, but a batch "
            f"takes {size}; lower batch_size or raise rows"
        )
    latents = d * training.expansion_factor
    if sae_type.SPARSITY == "k" and max(settings.k) >= latents:
        raise TrainingError(
            f"k: {max(settings.k)} is not below the {latents} latents of {store.path}"
        )


def run(spec: dict, rows: Path, output: Path) -> None:
    """Train a sweep; beside the manifest ``output``, which holds each member's metrics, write

    - .safetensors: the sweep stacked: w_enc, w_dec (members, h, d); b_enc, threshold (members, h);
      b_dec (members, d); k, pooled (members,). The manifest has the mean threshold over latents;
    - .parquet: one row per (member, held-out image): squared error, deviation, l0.

    spec: `Specs.fit`; rows: the manifest of the layer's rows. Raises TrainingError and StoreError.
    """
    sae_type = importlib.import_module(f"interference.saes.types.{spec['type']}")
    settings, training = sae_type.Settings(**spec["settings"]), Training(**spec["training"])
    manifest = read_json(rows)
    store, heldout = open_rows(rows, manifest, spec)
    check(sae_type, settings, training, store)
    state = State(output, spec, sae_type.SPARSITY, manifest["train"]["sha256"])
    dictionaries = train(sae_type, settings, training, store, spec["seeds"], state)
    calibration = store[:CALIBRATION_ROWS].astype(np.float32)
    members, table, stacked = [], [], []
    for (sparsity, seed), trained in dictionaries.items():
        dictionary = calibrate(trained, calibration)
        scores = score(dictionary, heldout)
        member = {"sparsity": float(sparsity), "sae_seed": seed}
        members.append(
            {**member, **scores.summary, "threshold": float(np.mean(dictionary.threshold))}
        )
        stacked.append(dictionary)
        table.append((member, scores.by_image))
        progress.say(f"{members[-1]}")
    weights = output.with_suffix(".safetensors")
    write_tensors(weights, stack(stacked), spec)
    identity = {**spec["model"], "layer": spec["layer"], "type": spec["type"]}
    write_table(output.with_suffix(".parquet"), {**identity, **per_image(table)}, spec)
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
    state.clear()
