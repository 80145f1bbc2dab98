"""Training of all densities, seeds and training modes as one stack.

Adam at a constant rate on fresh samples, as many steps for the clean as for the robust models.
W starts Xavier normal as in Elhage et al. 2022 and b at p/2, the best constant at p = 1: from
b = 0 some outputs die there and never return.

A seed has random streams of its own, shared by its densities and modes, so a model's weights do
not depend on which others are trained beside it. Training that is interrupted goes on from its
last checkpoint, and ends with the same bytes as if it had not been.
"""

import time
from pathlib import Path

from interference.compute import device
from interference.progress import say, track
from interference.provenance import canonical, digest
from interference.store.files import sha256, write_json
from interference.store.tensors import write_tensors
from interference.toy import compiled, stacked
from interference.toy.state import MODES, State, checkpoint_name, index, initial, resumed

#: Seconds between two checkpoints.
CHECKPOINT_INTERVAL = 60.0


def stepper(spec: dict, state: State) -> compiled.Stepper | stacked.Stepper:
    """The compiled steps on a CPU, torch's on a GPU: the same up to rounding."""
    place = device()
    if place.type == "cpu":
        return compiled.Stepper(spec, state)
    return stacked.Stepper(spec, state, place)


def train(spec: dict, path: Path | None = None) -> State:
    """Train the stack that a spec describes, from its checkpoint at ``path`` where there is one."""
    state = initial(spec) if path is None else resumed(path, spec)
    if state.steps:
        say(f"toy models: going on from step {state.steps} of {spec['steps']}")
    trainer, saved = stepper(spec, state), time.monotonic()
    left = range(spec["steps"] - state.steps)
    for _ in track(left, total=len(left), label="toy models"):
        trainer.step(*state.draw(spec))
        if path is not None and time.monotonic() - saved >= CHECKPOINT_INTERVAL:
            trainer.synchronise()
            state.save(path, spec)
            saved = time.monotonic()
    trainer.synchronise()
    return state


def run(spec: dict, output: Path) -> None:
    """Train the stack; write its weights beside ``output`` and then ``output``, their manifest.

    spec: `Specs.train`; output: …/toy/models.json, weights in …/toy/models.safetensors.
    """
    path = output.with_name(checkpoint_name(output, digest(canonical(spec))))
    arrays = train(spec, path).arrays
    weights = output.with_suffix(".safetensors")
    write_tensors(weights, {"W": arrays["W"], "b": arrays["b"], **index(spec)}, spec)
    write_json(
        output,
        {
            "spec": spec,
            "modes": list(MODES),
            "densities": spec["densities"],
            "seeds": spec["seeds"],
            "sha256": sha256(weights),
        },
    )
    for finished in output.parent.glob(checkpoint_name(output, "*")):
        finished.unlink()
