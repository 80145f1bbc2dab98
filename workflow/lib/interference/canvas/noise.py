"""What noise of the same masks does to a logit: the control of the least flips."""

import torch
from torch import Tensor

from interference.canvas.network import Network
from interference.canvas.pairs import BATCH, Chosen
from interference.canvas.streams import NOISE
from interference.compute import generator

#: Deviation of a pixel, and draws per canvas.
SIGMA, DRAWS = 8 / 255, 8


@torch.no_grad()
def spread(network: Network, chosen: Chosen, seed: int) -> dict[str, Tensor]:
    """Return the deviation of each pair's logit under noise on all, own and other cells: (P,) each.

    The noise is Gaussian and independent per pixel, the canvas is brought back to [0, 1] after it,
    and of one draw the three regions have the same.
    """
    found: dict[str, list[Tensor]] = {"all": [], "own": [], "others": []}
    for rows in torch.arange(len(chosen.feature)).split(BATCH):
        images, feature = chosen.images[rows], chosen.feature[rows]
        shape = (DRAWS, *images.shape[1:])
        noise = torch.stack(
            [torch.randn(shape, generator=generator(seed, NOISE, row)) for row in rows.tolist()]
        )
        noisy = (images[:, None] + SIGMA * noise).clamp(0, 1).flatten(0, 1)
        clean = network.contributions(images)
        change = network.contributions(noisy).unflatten(0, (-1, DRAWS)) - clean[:, None]
        own = change[torch.arange(len(rows)), :, feature]
        every = change.sum(2)
        for region, moved in (("all", every), ("own", own), ("others", every - own)):
            logits = network.decode(clean.sum(1)[:, None] + moved)
            own_logit = logits.gather(2, feature[:, None, None].expand(-1, DRAWS, 1)).squeeze(2)
            found[region].append(own_logit.std(1))
    return {region: torch.cat(parts) for region, parts in found.items()}
