"""Proxies of superposition, as functions of a bottleneck's activations alone.

Each is oriented so that more of it is meant as more superposition. Those of SAEs are of this project's
TopK at one k, trained on standardised rows (`saes`): the FVU, alone and over that of a Gaussian of the
same covariance; F = exp(H(p)), p the share of each latent in the activation mass, and ψ = F/d (Bereska
et al. 2025, arXiv 2512.13568); the mean coherence of its decoder; and how many more latents an attack
wakes than noise of its norm does. PCA's FVU at the same k stands beside them.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interference.config.saes import TopK
from interference.provenance import InterferenceError
from interference.saes.dictionary import Dictionary
from interference.saes.fit import CALIBRATION_ROWS, Training, calibrate, check, train
from interference.saes.metrics import score
from interference.saes.rows import Rows
from interference.saes.spectrum import Spectrum
from interference.saes.substitutes import Gaussian
from interference.saes.types import topk

#: The type of every SAE.
TYPE: Any = topk
#: Of every SAE: AuxK's dead latents and weight, rows without firing that make a latent dead, and the
#: share of training over which the rate falls.
AUX_K, AUX_WEIGHT, DEAD_AFTER, DECAY = 16, 1.0, 2000, 0.2
#: Rows of a chunk, within which they are shuffled.
CHUNK = 512

Measure = Callable[[np.ndarray], float]


class MeasureError(InterferenceError):
    """A measure of the user's own cannot be had."""


@dataclass(frozen=True)
class Activations:
    """Rows of a bottleneck, (any number, m) float32 each, standardised by those of training.

    train: that train SAEs. heldout: that are measured. attacked, noisy: of the same canvases, under
    attack and under noise of its norm.
    """

    train: np.ndarray
    heldout: np.ndarray
    attacked: np.ndarray
    noisy: np.ndarray


class _Memory:
    """Rows in memory, as training takes them. rows: (n, d) float32."""

    def __init__(self, rows: np.ndarray):
        self.path, self.chunk_rows, self._rows = Path("activations"), CHUNK, rows
        self.shape = rows.shape

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._rows[rows]


def of_saes(activations: Activations, ruler: dict, seed: int) -> dict[str, float]:
    """Return every proxy that an SAE or PCA gives, by name. ruler: as the config has it."""
    store = _Memory(activations.train)
    spectrum = Spectrum.of(store)
    gaussian = Gaussian(store, spectrum)
    heldout = activations.heldout[:, None]
    own = _trained(store, ruler, seed)
    other = _trained(gaussian, ruler, seed)
    found = score(own, heldout).summary
    beside = score(other, gaussian.heldout(heldout.shape)).summary["fvu"]
    left, deviation = spectrum.residuals(heldout), ((heldout - heldout.mean(0)) ** 2).sum()
    return {
        "fvu": found["fvu"],
        "fvu_over_gaussian": found["fvu"] / beside,
        "pca_fvu": float(left[:, min(ruler["k"], left.shape[1]) - 1].sum() / deviation),
        "effective_features": found["effective_features"],
        "psi": found["psi"],
        "coherence": found["mean_coherence"],
        "woken": _l0(own, activations.attacked) / _l0(own, activations.noisy),
    }


def _trained(store: Rows, ruler: dict, seed: int) -> Dictionary:
    settings = TopK(k=[ruler["k"]], aux_k=AUX_K, aux_weight=AUX_WEIGHT, dead_after=DEAD_AFTER)
    training = Training(
        expansion_factor=ruler["expansion_factor"],
        rows=ruler["steps"] * ruler["batch_size"],
        batch_size=ruler["batch_size"],
        learning_rate=ruler["learning_rate"],
        decay_fraction=DECAY,
    )
    check(TYPE, settings, training, store)
    ((_, dictionary),) = train(TYPE, settings, training, store, [seed]).items()
    return calibrate(dictionary, store[:CALIBRATION_ROWS])


def _l0(dictionary: Dictionary, rows: np.ndarray) -> float:
    """The mean number of latents above the frozen threshold."""
    return float((dictionary.encode_threshold(rows) > 0).sum(1).mean())


def own_measure(name: str) -> Measure:
    """Return a measure of the user's, named MODULE:FUNCTION: rows (n, m) float32 → a number.

    Raises MeasureError where there is no such function.
    """
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise MeasureError(
            f"ruler.measures: {name} cannot be imported ({error}); name a function as "
            "MODULE:FUNCTION, whose module Python finds"
        ) from None
