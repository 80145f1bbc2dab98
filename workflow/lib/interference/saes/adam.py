"""Adam over a dict of arrays."""

import numpy as np

from interference.saes.kernels import adam_rows

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
        self.steps += 1
        correction1, correction2 = 1 - BETA1**self.steps, (1 - BETA2**self.steps) ** 0.5
        scalars = (rate * correction2 / correction1, BETA1, 1 - BETA1, BETA2, 1 - BETA2,
                   EPS * correction2)  # fmt: skip
        for name, p in self.parameters.items():
            m, v = self._moments[name]
            g = np.ascontiguousarray(gradients[name])
            flat = (array.reshape(-1) for array in (p, g, m, v))
            adam_rows(*flat, *map(p.dtype.type, scalars))
