"""One training step of TopK SAEs of other libraries, each as its own trainer makes it.

Every class has a name, `step(x)` for x: (n, d) float32, `reconstruct(x)`, and `kill(latents)`:
from then on those latents count as dead, and cannot fire because their encoder rows are shortened.
Settings are a library's own defaults; what the comparison fixes is Adam, the learning rate, the
size, k, the patience in rows, the device, and
no Triton where SPARSIFY_DISABLE_TRITON does not say otherwise.

What was seen in their code: sparsify's encoder drops the gradient of the pre-activations in its
backward pass, so AuxK trains the decoder alone; overcomplete's AuxK has no notion of dead latents
and takes the residual as a function of the parameters; dictionary-learning and sparsify count a
pick of value zero as firing.
"""

import os

os.environ.setdefault("SPARSIFY_DISABLE_TRITON", "1")

import dictionary_learning.trainers.top_k as dictionary_learning
import overcomplete.sae as overcomplete
import sae_lens
import sparsify
import torch
from overcomplete.sae.losses import top_k_auxiliary_loss
from sae_lens.config import SAETrainerConfig
from sae_lens.training.sae_trainer import SAETrainer

#: Encoder rows of latents that are to be dead are made this much shorter.
SHORTER = 0.01
#: Rows or steps since a dead latent fired.
LONG_AGO = 1 << 40


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


class DictionaryLearning:
    name = "dictionary-learning"

    def __init__(
        self, d: int, h: int, k: int, rate: float, dead_after: int, batch: int, seed: int = 0,
        device: str = "cpu",
    ):  # fmt: skip
        self.steps = 0
        self.trainer = dictionary_learning.TopKTrainer(
            steps=1 << 40, activation_dim=d, dict_size=h, k=k, layer=0, lm_name="none",
            lr=rate, warmup_steps=0, seed=seed, device=device,
        )  # fmt: skip
        self.trainer.dead_feature_threshold = dead_after

    def step(self, x: torch.Tensor) -> None:
        self.trainer.update(self.steps, x)
        self.steps += 1

    def set_rate(self, rate: float) -> None:
        set_rate(self.trainer.optimizer, rate)

    def latents(self, x: torch.Tensor) -> torch.Tensor:
        return self.trainer.ae.encode(x)

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        return self.trainer.ae(x)

    def kill(self, latents: slice) -> None:
        self.trainer.ae.encoder.weight.data[latents] *= SHORTER
        self.trainer.num_tokens_since_fired[latents] = LONG_AGO


class Overcomplete:
    """Its AuxK has no dead latents: the mean squared error alone until `kill`, then its AuxK."""

    name = "overcomplete"

    def __init__(
        self, d: int, h: int, k: int, rate: float, dead_after: int, batch: int, device: str = "cpu"
    ):
        torch.manual_seed(0)
        self.sae = overcomplete.TopKSAE(d, nb_concepts=h, top_k=k, device=device)
        self.adam, self.device = torch.optim.Adam(self.sae.parameters(), lr=rate), device
        self.loss = lambda x, x_hat, *_: (x - x_hat).square().mean()

    def step(self, x: torch.Tensor) -> None:
        overcomplete.train_sae(
            self.sae, [x], self.loss, self.adam, nb_epochs=1, monitoring=0, device=self.device
        )

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        return self.sae.eval()(x)[2]

    def kill(self, latents: slice) -> None:
        self.loss = top_k_auxiliary_loss


class SAELens:
    name = "sae-lens"

    def __init__(
        self, d: int, h: int, k: int, rate: float, dead_after: int, batch: int, seed: int = 0,
        device: str = "cpu",
    ):  # fmt: skip
        torch.manual_seed(seed)
        sae_config = sae_lens.TopKTrainingSAEConfig(d_in=d, d_sae=h, k=k, device=device)
        sae = sae_lens.TopKTrainingSAE(sae_config)
        config = SAETrainerConfig(
            total_training_samples=1 << 40, train_batch_size_samples=batch, lr=rate,
            lr_end=rate / 10, dead_feature_window=dead_after // batch, device=device,
        )  # fmt: skip
        self.trainer = SAETrainer(config, sae, data_provider=iter(()))

    def step(self, x: torch.Tensor) -> None:
        self.trainer.step(x)
        self.trainer.n_training_steps += 1

    def set_rate(self, rate: float) -> None:
        set_rate(self.trainer.optimizer, rate)

    def latents(self, x: torch.Tensor) -> torch.Tensor:
        return self.trainer.sae.eval().encode(x)

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        return self.trainer.sae.eval()(x)

    def kill(self, latents: slice) -> None:
        self.trainer.sae.W_enc.data[:, latents] *= SHORTER
        self.trainer.n_forward_passes_since_fired[latents] = LONG_AGO


class Sparsify:
    """The body of `Trainer.fit` for loss `fvu`, which cannot run without a language model."""

    name = "eai-sparsify"
    AUXK_ALPHA = 1 / 32  # of Gao et al.; its default, 0, is AuxK switched off

    def __init__(
        self, d: int, h: int, k: int, rate: float, dead_after: int, batch: int, device: str = "cpu"
    ):
        torch.manual_seed(0)
        config = sparsify.SparseCoderConfig(num_latents=h, k=k)
        self.sae = sparsify.SparseCoder(d, config, device=device)
        self.adam = torch.optim.Adam(self.sae.parameters(), lr=rate)
        self.silent = torch.zeros(h, dtype=torch.long, device=device)
        self.fired = torch.zeros(h, dtype=torch.bool, device=device)
        self.dead_after, self.steps = dead_after, 0

    def step(self, x: torch.Tensor) -> None:
        if self.steps == 0:
            self.sae.b_dec.data = x.mean(0)
        self.steps += 1
        self.sae.set_decoder_norm_to_unit_norm()
        variance = (x - x.mean(0)).pow(2).sum()
        dead = self.silent > self.dead_after
        out = self.sae(x=x, y=x, dead_mask=dead, total_variance=variance)
        self.fired[out.latent_indices.flatten()] = True
        (out.fvu + self.AUXK_ALPHA * out.auxk_loss + out.multi_topk_fvu / 8).backward()
        self.sae.remove_gradient_parallel_to_decoder_directions()
        self.adam.step()
        self.adam.zero_grad()
        with torch.no_grad():
            self.silent += len(x)
            self.silent[self.fired] = 0
            self.fired.zero_()

    def reconstruct(self, x: torch.Tensor) -> torch.Tensor:
        return self.sae(x).sae_out

    def kill(self, latents: slice) -> None:
        self.sae.encoder.weight.data[latents] *= SHORTER
        self.silent[latents] = LONG_AGO


PEERS = (DictionaryLearning, Overcomplete, SAELens, Sparsify)
