"""Trained SAEs as folders that SAELens loads: `sae_lens.SAE.load_from_disk(folder)`.

A folder holds `cfg.json` and `sae_weights.safetensors` as SAELens 6 writes them. Its architectures
compute what a `Dictionary` does, with W_enc as (d, h):

    topk       the k largest pre-activations of a row, ReLU'd    TopK
    jumprelu   pre-activations above a threshold a latent        BatchTopK, JumpReLU, Gated, Matryoshka
    standard   ReLU                                              ReLU-L1

SAEs take standardised rows, (x − mean) / std. Where the layer's statistics are given they are
folded in, so that the exported SAE takes and gives raw activations x: (d,), with the same latents:

    W_enc' = W_enc / std,   b_enc' = b_enc − W_enc' mean,
    W_dec' = W_dec · std,   b_dec' = b_dec · std + mean

Decoder rows then have no unit norm: a latent is still the length of what it adds to a standardised
row. Both libraries drop a pre-activation that equals its threshold.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from interference.provenance import InterferenceError
from interference.saes.dictionary import Dictionary, unstack
from interference.store.files import StoreError, read_json, replacing, write_json
from interference.store.tensors import read_described, write_tensors

#: The names that SAELens reads.
CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
#: Of the format, not of a library that is here: SAELens rewrites a config older than 6 on reading.
FORMAT = "6.0.0"


def fold(dictionary: Dictionary, mean: np.ndarray, std: np.ndarray) -> Dictionary:
    """A dictionary of standardised rows as one of raw rows. mean, std: (d,) float64."""
    w_enc = dictionary.w_enc / std
    folded = {
        "w_enc": w_enc,
        "b_enc": dictionary.b_enc - w_enc @ mean,
        "w_dec": dictionary.w_dec * std,
        "b_dec": dictionary.b_dec * std + mean,
    }
    return replace(dictionary, **{name: a.astype(np.float32) for name, a in folded.items()})


def in_saelens(dictionary: Dictionary) -> tuple[dict, dict[str, np.ndarray]]:
    """(config, weights) as SAELens names them. The config lacks its metadata."""
    h, d = dictionary.w_enc.shape
    config = {
        "architecture": "standard",
        "d_in": d,
        "d_sae": h,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
        "reshape_activations": "none",
    }
    weights = {
        "W_enc": dictionary.w_enc.T,
        "b_enc": dictionary.b_enc,
        "W_dec": dictionary.w_dec,
        "b_dec": dictionary.b_dec,
    }
    if dictionary.k and not dictionary.pooled:
        config |= {"architecture": "topk", "k": dictionary.k, "rescale_acts_by_decoder_norm": False}
    elif np.any(dictionary.threshold):
        config["architecture"] = "jumprelu"
        weights["threshold"] = np.asarray(dictionary.threshold)
    return config, weights


def folder_name(spec: dict, member: dict) -> str:
    """LAYER-TYPE-SPARSITY-sSEED: layer2-topk-8-s0."""
    sparsity = repr(member["sparsity"]).removesuffix(".0")
    return f"{spec['layer']}-{spec['type']}-{sparsity}-s{member['sae_seed']}"


def read(manifest: Path, array: str, kind: str) -> tuple[dict[str, np.ndarray], dict]:
    """Arrays and manifest of a job; InterferenceError where there is no such array in them."""
    if manifest.suffix == ".json":
        arrays, description = read_described(manifest)
        if array in arrays:
            return arrays, description
    raise InterferenceError(f"{manifest} is not the manifest of {kind}")


def read_statistics(rows: Path, spec: dict) -> tuple[np.ndarray, np.ndarray, str]:
    """Mean and std, (d,) float64, of the rows of a spec's model and layer, and their SHA-256."""
    arrays, description = read(rows, "std", "a layer's rows: activations/MODEL/LAYER/rows.json")
    for key in ("model", "layer"):
        found = description["spec"][key]
        if found != spec[key]:
            raise InterferenceError(f"{rows}: {key} is {found}, that of the SAEs is {spec[key]}")
    return arrays["mean"], arrays["std"], description["sha256"]


def choose(members: list[dict], **wanted: float | None) -> list[int]:
    """Which members have the wanted values; None wants all. InterferenceError where none has."""
    for name, value in wanted.items():
        there = sorted({member[name] for member in members})
        if value is not None and value not in there:
            raise InterferenceError(
                f"{name.removeprefix('sae_')}: {value:g} is not in the sweep, which has "
                f"{', '.join(f'{found:g}' for found in there)}"
            )
    fits = [all(v in (None, member[n]) for n, v in wanted.items()) for member in members]
    return [i for i, fit in enumerate(fits) if fit]


def is_free(folder: Path, config: dict) -> bool:
    """Whether a folder is not there, is empty, or is an earlier export of the same SAE."""
    if not folder.is_dir():
        return not folder.exists()
    names = {path.name for path in folder.iterdir()}
    try:
        return not names or (names == {CONFIG, WEIGHTS} and read_json(folder / CONFIG) == config)
    except StoreError:
        return False


def export(
    manifest: Path, output: Path, sparsity: float | None, seed: int | None, rows: Path | None
) -> list[Path]:
    """Write the chosen members of a sweep as folders in ``output``, and return them.

    manifest: of the sweep; rows: manifest of the rows whose statistics are folded in, if any.
    Raises InterferenceError, before it writes anything, where a folder holds something else.
    """
    arrays, fitted = read(manifest, "w_enc", "trained SAEs: saes/MODEL/LAYER/TYPE.json")
    spec, dictionaries = fitted["spec"], unstack(arrays)
    statistics = None
    if rows:
        mean, std, statistics = read_statistics(rows, spec)
        dictionaries = [fold(dictionary, mean, std) for dictionary in dictionaries]
    if output.exists() and not output.is_dir():
        raise InterferenceError(f"{output} is there and is no folder; name another")
    made = {}
    for i in choose(fitted["members"], sparsity=sparsity, sae_seed=seed):
        member, dictionary = fitted["members"][i], dictionaries[i]
        config, weights = in_saelens(dictionary)
        config["metadata"] = {
            "sae_lens_version": FORMAT,
            "sae_lens_training_version": None,
            "model_name": spec["model"]["model"],
            "hook_name": spec["layer"],
            "input": "raw activations" if rows else "standardised activations",
            "statistics_sha256": statistics,
            "sae_sha256": fitted["sha256"],
            "member": member,
            "spec": spec,
        }
        folder = output / folder_name(spec, member)
        if not is_free(folder, config):
            raise InterferenceError(f"{folder} holds something else; remove it or name another")
        made[folder] = config, weights
    for folder, (config, weights) in made.items():
        with replacing(folder) as temporary:
            temporary.mkdir()
            write_tensors(temporary / WEIGHTS, weights, spec)
            write_json(temporary / CONFIG, config)
    return list(made)
