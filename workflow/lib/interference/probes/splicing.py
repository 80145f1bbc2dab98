"""SAEs spliced into the forward pass: what a network makes of reconstructed activations.

A layer's activations at all positions are replaced by their reconstruction, and the forward pass
goes on from there (downstream loss, Gao et al. 2024 §4.1). Beside it stand the network as it is, and
the layer replaced by its mean over training images: mean ablation, the reconstruction of a
dictionary without any information. (Bricken et al. 2023 ablate to zero, which post-ReLU
activations standardised to mean zero are far from.)
"""

import numpy as np
from torch import Tensor
from torch.nn.functional import nll_loss

from interference.activations.standardise import Statistics
from interference.models.network import Network
from interference.saes.dictionary import Dictionary

#: Rows encoded at once.
ROWS = 8192


def reconstruct(
    dictionary: Dictionary, statistics: Statistics, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Reconstruct raw activations, with the code that SAEs are scored with on held-out images.

    values: (n, positions, d) float32. Returns the reconstruction, of the same shape and type, and
    the L0 of every image (n,) float64, a mean over positions.
    """
    rows = values.reshape(-1, values.shape[2])
    restored, active = np.empty_like(rows), np.zeros(len(rows), np.int64)
    for start in range(0, len(rows), ROWS):
        part = slice(start, start + ROWS)
        latents = dictionary.encode(statistics.apply(rows[part]))
        restored[part] = statistics.restore(dictionary.decode(latents))
        active[part] = np.count_nonzero(latents, axis=1)
    return restored.reshape(values.shape), active.reshape(values.shape[:2]).mean(1)


def outcome(logits: Tensor, labels: Tensor, clean: Tensor) -> dict[str, np.ndarray]:
    """Return correct (n,) bool, loss, which is cross-entropy, and kl, KL(clean ‖ logits).

    Loss and kl are (n,) float64, in nats.
    logits, clean: (n, classes) of the changed network and of the network as it is.
    """
    log_p, log_q = clean.double().log_softmax(1), logits.double().log_softmax(1)
    return {
        "correct": (logits.argmax(1) == labels).cpu().numpy(),
        "loss": nll_loss(log_q, labels, reduction="none").cpu().numpy(),
        "kl": (log_p.exp() * (log_p - log_q)).sum(1).cpu().numpy(),
    }


def ablated(network: Network, layer: str, statistics: Statistics, activations: Tensor) -> Tensor:
    """Return logits (n, classes) with a layer replaced by its mean over training images.

    activations: (n, positions, d) of the layer, for their shape and device.
    """
    mean = statistics.restore(np.zeros(activations.shape[2]))
    return network.from_layer(activations.new_tensor(mean).expand(activations.shape), layer)


def spliced(
    network: Network,
    layer: str,
    statistics: Statistics,
    dictionary: Dictionary,
    activations: Tensor,
) -> tuple[np.ndarray, Tensor]:
    """Return the L0 of every image (n,), and logits (n, classes) with the reconstruction in place.

    activations: (n, positions, d) float32, raw, of the layer.
    """
    values, l0 = reconstruct(dictionary, statistics, activations.cpu().numpy())
    return l0, network.from_layer(activations.new_tensor(values), layer)
