"""Adam (Kingma & Ba 2015, arXiv 1412.6980), algorithm 1.

    m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²,   p ← p − α √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε')

with ε' = ε √(1 − β₂ᵗ): both corrections go into the step, as at the end of its section 2. `adam` is one
compiled step over flat arrays, `adam_tensors` the same on tensors, and `Adam` the state of named arrays.

`decayed_adam` is the toy models', with decoupled decay (AdamW: Loshchilov & Hutter 2019). It corrects
m and √v, not the step, and is compiled with fastmath: equal but for rounding, and kept apart from
`adam` since the bytes of trained models hang on it.
"""

import numpy as np

from interference.kernels.compile import cached, fast_inner, inner

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def corrections(steps: int) -> tuple[float, float]:
    """1 − β₁ᵗ and √(1 − β₂ᵗ) at the step number ``steps``, from 1."""
    return 1 - BETA1**steps, (1 - BETA2**steps) ** 0.5


@inner
def adam(p, g, m, v, size, beta1, rest1, beta2, rest2, eps):
    """One step in place; all arrays flat and of one length, all scalars of their dtype.

    size, eps: the step's length and ε', with the corrections; rest = 1 − beta.
    """
    for i in range(p.shape[0]):
        m[i] = beta1 * m[i] + rest1 * g[i]
        v[i] = beta2 * v[i] + rest2 * g[i] * g[i]
        p[i] -= size * m[i] / (np.sqrt(v[i]) + eps)


@cached
def _adam_rows(p, g, m, v, size, beta1, rest1, beta2, rest2, eps):
    adam(p, g, m, v, size, beta1, rest1, beta2, rest2, eps)


@fast_inner
def decayed_adam(p, g, m, v, constants):
    """One step in place of AdamW. p, m, v: (rows, columns); g: as many or more.

    constants: the rate over 1 − β₁ᵗ, 1 / √(1 − β₂ᵗ), what decay keeps, 1 − β₁, β₂, 1 − β₂, ε.
    """
    rate, root_scale, kept, rest1, beta2, rest2, eps = constants
    for j in range(p.shape[0]):
        for i in range(p.shape[1]):
            gradient = g[j, i]
            m[j, i] += rest1 * (gradient - m[j, i])
            v[j, i] = beta2 * v[j, i] + rest2 * gradient * gradient
            step = rate * m[j, i] / (np.sqrt(v[j, i]) * root_scale + eps)
            p[j, i] = kept * p[j, i] - step


def adam_tensors(p, g, m, v, size, eps) -> None:
    """`adam` on tensors of one shape; size, eps: tensors (), or numbers."""
    m.lerp_(g, 1 - BETA1)
    v.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
    p.sub_(m / v.sqrt().add_(eps) * size)


class Adam:
    """State of Adam for named parameters, updated in place."""

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
        """Count a step; returns the scalars of `adam` in it."""
        self.steps += 1
        first, second = corrections(self.steps)
        return rate * second / first, BETA1, 1 - BETA1, BETA2, 1 - BETA2, EPS * second

    def update(self, name: str, gradient: np.ndarray, scalars: tuple) -> None:
        """Move one parameter by its gradient."""
        p, m, v = self.state(name)
        flat = (array.reshape(-1) for array in (p, np.ascontiguousarray(gradient), m, v))
        _adam_rows(*flat, *map(p.dtype.type, scalars))

    def state(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A parameter and its two moments."""
        return (self.parameters[name], *self._moments[name])
