"""Training steps on a CPU: `step` on numpy arrays."""

import numpy as np

from interference.toy import step
from interference.toy.state import ARRAYS, State, adam_constants, index

ATTACKS = {"gradient": step.GRADIENT, "analytic": step.ANALYTIC}


class Stepper:
    """Moves a `State` in place. Any float dtype."""

    def __init__(self, spec: dict, state: State):
        robust, table = spec["adversarial"], index(spec)
        attack, kind = robust["attack"], state.arrays["W"].dtype
        self.spec, self.state = spec, state
        self.scratch = step.scratch(spec["features"], spec["hidden"], spec["batch_size"], kind)
        modes = np.array([step.NONE, ATTACKS[attack["type"]]])
        self.models = (
            (-1 / table["density"]).astype(kind),
            np.array([spec["seeds"].index(seed) for seed in table["seed"]]),
            modes[table["mode"]],
        )
        self.reals = tuple(
            kind.type(value)
            for value in (
                robust["weight"],
                robust["relative_epsilon"],
                attack.get("relative_step", 1.0),
                attack.get("noise", 0.0),
            )
        )
        self.counts = (attack.get("steps", 1), robust["radius"] == "mean")

    def step(self, uniforms: np.ndarray, normals: np.ndarray) -> None:
        """One step of every model. uniforms, normals: (K, n, B)."""
        self.state.steps += 1
        kind = self.state.arrays["W"].dtype
        constants = map(kind.type, adam_constants(self.spec, self.state.steps))
        step.train_step(
            self.scratch, tuple(self.state.arrays[name] for name in ARRAYS), uniforms, normals,
            self.models, self.reals, self.counts, tuple(constants),
        )  # fmt: skip

    def synchronise(self) -> None:
        """Nothing: the state's arrays are the working copy."""
