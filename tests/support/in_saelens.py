"""What SAELens makes of our files. Run by the Python of .venv-peers, where it is installed:

    .venv-peers/bin/python tests/support/in_saelens.py FOLDER

Beside each SAE of FOLDER/*/, NAME.npz gets its latents and reconstruction of the rows.npy there.
FOLDER/topk.npz, parameters of a TopK SAE in training and rows, becomes FOLDER/gradients.npz.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from sae_lens import SAE, TopKTrainingSAE, TopKTrainingSAEConfig
from sae_lens.saes.sae import TrainStepInput


def reconstruct(folder: Path) -> None:
    sae = SAE.load_from_disk(folder)
    with torch.no_grad():
        latents = sae.encode(torch.from_numpy(np.load(folder.parent / "rows.npy")))
        reconstruction = sae.decode(latents)
    np.savez(
        folder.parent / f"{folder.name}.npz", latents=latents, reconstruction=reconstruction,
        architecture=sae.cfg.architecture(), name=sae.get_name(),
    )  # fmt: skip


def gradients(given: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Of SAELens's whole training loss when no latent is dead, each by the name of its parameter."""
    h, d = given["W_dec"].shape
    config = TopKTrainingSAEConfig(
        d_in=d, d_sae=h, k=int(given["k"]), dtype="float64", rescale_acts_by_decoder_norm=False
    )
    sae = TopKTrainingSAE(config)
    parameters = dict(sae.named_parameters())
    for name, parameter in parameters.items():
        parameter.data = torch.from_numpy(given[name])
    step = TrainStepInput(torch.from_numpy(given["x"]), {}, None, 0, False)
    sae.training_forward_pass(step).loss.backward()
    return {name: parameter.grad for name, parameter in parameters.items()}


def main(folder: Path) -> None:
    for config in sorted(folder.glob("*/*/cfg.json")):
        reconstruct(config.parent)
    np.savez(folder / "gradients.npz", **gradients(np.load(folder / "topk.npz")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
