"""What a network makes of its own reconstruction: SAEs spliced into the forward pass.

A layer's activations at all positions are replaced by what a dictionary makes of them, and the
forward pass goes on from there (downstream loss, Gao et al. 2024 §4.1). Beside it stand the network
as it is, and the layer replaced by its mean over training images: mean ablation, which is what a
dictionary that knows nothing would give. (Bricken et al. 2023 ablate to zero, which post-ReLU
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
    """What a dictionary makes of raw activations (n, positions, d) float32: the same shape and type.

    Beside it the L0 of each image (n,), a mean over positions. The code is the one that SAEs are
    scored with on held-out images.
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
    """Of each image whether it is right, its cross-entropy and KL(clean ‖ these), nats, float64.

    logits, clean: (n, classes) of the changed network and of the network as it is.
    """
    log_p, log_q = clean.double().log_softmax(1), logits.double().log_softmax(1)
    return {
        "correct": (logits.argmax(1) == labels).cpu().numpy(),
        "loss": nll_loss(log_q, labels, reduction="none").cpu().numpy(),
        "kl": (log_p.exp() * (log_p - log_q)).sum(1).cpu().numpy(),
    }


def ablated(network: Network, layer: str, statistics: Statistics, activations: Tensor) -> Tensor:
    """Logits with a layer replaced by its mean over training images. activations: of the layer."""
    mean = statistics.restore(np.zeros(activations.shape[2]))
    return network.from_layer(activations.new_tensor(mean).expand(activations.shape), layer)


def spliced(
    network: Network,
    layer: str,
    statistics: Statistics,
    dictionary: Dictionary,
    activations: Tensor,
) -> tuple[np.ndarray, Tensor]:
    """L0 (n,) of each image's code, and logits (n, classes) with the reconstruction in place.

    activations: (n, positions, d) float32, raw, of the layer.
    """
    values, l0 = reconstruct(dictionary, statistics, activations.cpu().numpy())
    return l0, network.from_layer(activations.new_tensor(values), layer)
