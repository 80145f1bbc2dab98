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

    def step(self, gradients: dict[str, np.ndarray], rate: float) -> None:
        """gradients: name → array of the parameter's shape; rate: the learning rate now."""
        self.steps += 1
        for name, p in self.parameters.items():
            m, v = self._moments[name]
            number = p.dtype.type
            adam_rows(
                p.reshape(-1),
                np.ascontiguousarray(gradients[name]).reshape(-1),
                m.reshape(-1),
                v.reshape(-1),
                number(rate),
                number(BETA1),
                number(BETA2),
                number(EPS),
                number(1 - BETA1**self.steps),
                number(1 - BETA2**self.steps),
            )
