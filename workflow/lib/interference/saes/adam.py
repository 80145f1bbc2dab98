"""Adam over a dict of arrays."""

import numpy as np

from interference.saes.sparse import adam_rows

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


class Adam:
    """State of Adam (Kingma & Ba 2015) for named parameters, updated in place."""

    def __init__(self, parameters: dict[str, np.ndarray]):
        self.parameters = parameters
        self.steps = 0
        self._moments = {n: (np.zeros_like(p), np.zeros_like(p)) for n, p in parameters.items()}

    def arrays(self) -> dict[str, np.ndarray]:
        """Parameters and their moments, live: NAME, NAME.mean and NAME.square."""
        arrays = dict(self.parameters)
        for name, (mean, square) in self._moments.items():
            arrays |= {f"{name}.mean": mean, f"{name}.square": square}
        return arrays

    def step(self, gradients: dict[str, np.ndarray], rate: float) -> None:
        """gradients: name → array of the parameter's shape; rate: the learning rate now."""
        scalars = self.advance(rate)
        for name in self.parameters:
            self.update(name, gradients[name], scalars)

    def rescale(self, scale: float) -> None:
        """Make the moments those of gradients ``scale`` times as long."""
        for mean, square in self._moments.values():
            mean *= mean.dtype.type(scale)
            square *= square.dtype.type(scale**2)

    def advance(self, rate: float) -> tuple:
        """Count a step; returns the scalars of `adam_rows` in it."""
        self.steps += 1
        correction1, correction2 = 1 - BETA1**self.steps, (1 - BETA2**self.steps) ** 0.5
        return (rate * correction2 / correction1, BETA1, 1 - BETA1, BETA2, 1 - BETA2,
                EPS * correction2)  # fmt: skip

    def update(self, name: str, gradient: np.ndarray, scalars: tuple) -> None:
        """Move one parameter by its gradient."""
        p, m, v = self.state(name)
        flat = (array.reshape(-1) for array in (p, np.ascontiguousarray(gradient), m, v))
        adam_rows(*flat, *map(p.dtype.type, scalars))

    def state(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A parameter and its two moments."""
        return (self.parameters[name], *self._moments[name])
