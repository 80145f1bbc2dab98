"""What an SAE's reconstruction error says about sparse features, and what about covariance alone.

Beside the SAEs of a layer stand, at equal sparsity k and on the same rows: projections on the first
k principal components, and SAEs of the same type, settings, seeds and training on whitened rows
and on a Gaussian surrogate with the rows' covariance. A Gaussian has no sparse features, so what an
SAE finds beyond it is what the rows have beyond their covariance. The FVU of whitened rows is
measured in the whitened space, where every direction counts alike.
"""

import importlib
from itertools import product
from pathlib import Path

import numpy as np

from interference import progress
from interference.saes.fit import CALIBRATION_ROWS, Training, calibrate, check, open_rows, train
from interference.saes.metrics import per_image, score
from interference.saes.rows import Rows
from interference.saes.spectrum import Spectrum
from interference.saes.state import State
from interference.saes.substitutes import Gaussian, Whitened
from interference.store.files import read_json, write_json
from interference.store.tables import write_table
from interference.store.tensors import read_described

#: A raw unit is active above this share of its mean plus its deviation: standardising to float32
#: and back moves a zero by at most 6e-8 of its mean.
TOLERANCE = 1e-6


def raw_l0(x: np.ndarray, mean: np.ndarray, std: np.ndarray) -> float:
    """Mean number of a layer's own units, post-ReLU, that are active in a row.

    x: (images, positions, d) standardised with mean and std, (d,) float64.
    """
    raw = x.reshape(-1, len(mean)) * std + mean
    return float((raw > TOLERANCE * (np.abs(mean) + std)).sum(1).mean())


def deviations(x: np.ndarray) -> np.ndarray:
    """Σ‖x − x̄‖² of each image, x̄ the mean of all rows, as SAEs are scored.

    x: (images, positions, d). Returns (images,) float64.
    """
    mean = x.mean((0, 1), dtype=np.float64)
    return np.array([((image - mean) ** 2).sum() for image in x])


def run(spec: dict, rows: Path, output: Path) -> None:
    """Train and score what SAEs stand beside; write beside the manifest ``output``

    - .parquet: one row per (baseline, k, SAE seed, held-out image): squared error, deviation, l0; of
      PCA the same for every seed.

    The manifest holds the spectrum of the training rows (eigenvalues, participation_ratio,
    effective_rank), pca_fvu of every k from 1 to width, dimensions that whitening kept, raw_l0
    and width.
    """
    sae_type = importlib.import_module(f"interference.saes.types.{spec['type']}")
    settings, training = sae_type.Settings(**spec["settings"]), Training(**spec["training"])
    manifest = read_json(rows)
    store, heldout = open_rows(rows, manifest, spec)
    statistics, _ = read_described(rows)
    spectrum = Spectrum.of(store)
    whitened, gaussian = Whitened(store, spectrum), Gaussian(store, spectrum)
    substitutes: dict[str, tuple[Rows, np.ndarray]] = {
        "whitened": (whitened, whitened.apply(heldout)),
        "gaussian": (gaussian, gaussian.heldout(heldout.shape)),
    }
    for substitute, _ in substitutes.values():
        check(sae_type, settings, training, substitute)

    left, deviation = spectrum.residuals(heldout), deviations(heldout)
    members = []
    for k, seed in product(settings.k, spec["seeds"]):
        columns = {"squared_error": left[:, k - 1], "deviation": deviation}
        columns["l0"] = np.full(len(heldout), float(k))
        members.append(({"baseline": "pca", "sparsity": float(k), "sae_seed": seed}, columns))
    for name, (substitute, held) in substitutes.items():
        part = {**spec, "baseline": name}
        state = State(output, part, sae_type.SPARSITY, manifest["train"]["sha256"])
        trained = train(sae_type, settings, training, substitute, spec["seeds"], state)
        calibration = substitute[:CALIBRATION_ROWS]
        for (k, seed), dictionary in trained.items():
            scores = score(calibrate(dictionary, calibration), held)
            member = {"baseline": name, "sparsity": float(k), "sae_seed": seed}
            members.append((member, scores.by_image))
            progress.say(f"{members[-1][0] | scores.summary}")

    identity = {**spec["model"], "layer": spec["layer"], "type": spec["type"]}
    write_table(output.with_suffix(".parquet"), {**identity, **per_image(members)}, spec)
    write_json(
        output,
        {
            "spec": spec,
            "eigenvalues": spectrum.values.tolist(),
            "participation_ratio": spectrum.participation_ratio,
            "effective_rank": spectrum.effective_rank,
            "pca_fvu": (left.sum(0) / deviation.sum()).tolist(),
            "dimensions": whitened.shape[1],
            "raw_l0": raw_l0(heldout, statistics["mean"], statistics["std"]),
            "width": store.shape[1],
        },
    )
    state.clear()
