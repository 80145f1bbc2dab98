"""What training changes: weights, Adam's moments and the position of the random streams."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from interference.kernels.adam import BETA1, BETA2, EPS, corrections
from interference.kernels.tiles import zeros
from interference.store.tensors import read_tensors, write_tensors
from interference.toy import sampling

#: Training modes, the halves of a stack; within each, densities, and within a density, seeds.
MODES = ("clean", "adversarial")
#: Parameters and Adam's means and mean squares of their gradients.
ARRAYS = ("W", "W_mean", "W_square", "b", "b_mean", "b_square")


@dataclass
class State:
    """arrays: of `ARRAYS`, W's (S, m, n) and b's (S, n), float32; steps: done so far.

    samples, noises: the streams of each seed; draws: the buffers that they fill.
    """

    arrays: dict[str, np.ndarray]
    steps: int
    samples: list[np.random.Generator]
    noises: list[np.random.Generator]
    draws: tuple[np.ndarray, np.ndarray] | None = None

    def draw(self, spec: dict) -> tuple[np.ndarray, np.ndarray]:
        """The uniforms and standard normals of one step, each (K, n, B) float32.

        Normals are zero, and none is drawn, where no attack uses them. The next draw overwrites
        what this one returns.
        """
        if self.draws is None:
            shape = (len(self.samples), spec["features"], spec["batch_size"])
            self.draws = zeros(shape, np.dtype(np.float32)), zeros(shape, np.dtype(np.float32))
        uniforms, normals = self.draws
        for stream, block in zip(self.samples, uniforms):
            stream.random(out=block, dtype=np.float32)
        if spec["adversarial"]["attack"].get("noise", 0) > 0:
            for stream, block in zip(self.noises, normals):
                stream.standard_normal(out=block, dtype=np.float32)
        return uniforms, normals

    def save(self, path: Path, spec: dict) -> None:
        streams = [stream.bit_generator.state for stream in self.samples + self.noises]
        write_tensors(path, self.arrays, {"spec": spec, "steps": self.steps, "streams": streams})


def initial(spec: dict) -> State:
    """W: Xavier normal, the same at every density and mode of a seed; b: half the density."""
    n, m, seeds = spec["features"], spec["hidden"], spec["seeds"]
    copies = len(MODES) * len(spec["densities"])
    draws = [sampling.stream(s, sampling.INIT).standard_normal((m, n), np.float32) for s in seeds]
    W = np.tile(np.stack(draws) * np.float32(math.sqrt(2 / (n + m))), (copies, 1, 1))
    b = np.repeat(index(spec)["density"].astype(np.float32)[:, None] / 2, n, axis=1)
    arrays = {name: (W if name[0] == "W" else b) for name in ARRAYS}
    arrays = {name: a.copy() if len(name) == 1 else np.zeros_like(a) for name, a in arrays.items()}
    return State(
        arrays,
        0,
        [sampling.stream(s, sampling.TRAINING) for s in seeds],
        [sampling.stream(s, sampling.TRAINING_NOISE) for s in seeds],
    )


def resumed(path: Path, spec: dict) -> State:
    """The state that a checkpoint holds, or the initial one where there is none.

    Raises StoreError where it is damaged.
    """
    state = initial(spec)
    if path.exists():
        state.arrays, saved = read_tensors(path)
        state.steps = saved["steps"]
        for stream, position in zip(state.samples + state.noises, saved["streams"], strict=True):
            stream.bit_generator.state = position
    return state


def checkpoint_name(output: Path, key: str) -> str:
    """The hidden file beside ``output`` that training towards it keeps its state in.

    key: digest of the spec, so that no other training goes on from it.
    """
    return f".{output.stem}.{key}.checkpoint.safetensors"


def index(spec: dict) -> dict[str, np.ndarray]:
    """What each model of the stack is: mode (index into MODES), density and seed, each (S,)."""
    mode, density, seed = np.meshgrid(
        np.arange(len(MODES)), spec["densities"], spec["seeds"], indexing="ij"
    )
    return {"mode": mode.ravel(), "density": density.ravel(), "seed": seed.ravel()}


def adam_constants(spec: dict, step: int) -> tuple[float, ...]:
    """The constants of `decayed_adam` in the step-th step, from 1."""
    rate, (first, second) = spec["learning_rate"], corrections(step)
    kept = 1 - rate * spec["weight_decay"]
    return rate / first, 1 / second, kept, 1 - BETA1, BETA2, 1 - BETA2, EPS
