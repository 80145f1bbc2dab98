"""Matryoshka's compiled step: BatchTopK's, with nested dictionaries."""

from interference.saes.compiled import batch_topk
from interference.saes.types import matryoshka


class Step(batch_topk.Step):
    """Moves one member."""

    def prefixes(self, latents: int) -> list[int]:
        return matryoshka.ends(self.settings, latents)
