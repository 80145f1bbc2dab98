"""The stack in torch takes the steps of the compiled members.

All of it runs on the CPU here. What a GPU adds is checked as far as that goes without one: on tensors
that have shapes and no numbers, and with stand-ins for streams and graphs.
"""

import ctypes
import os
import subprocess
import sys
from contextlib import contextmanager, nullcontext
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from interference import gpu
from interference.config.saes import SaeTypes
from interference.kernels.adam import Adam
from interference.saes import fit as fit_module
from interference.saes import stacked
from interference.saes.fit import run as fit
from interference.saes.stacked import WARM_UP, CapturedStack, Stack, by_row, clip_norm
from interference.saes.stepper import OneByOne, stepper
from interference.store.tensors import read_tensors
from tests.support import sweeps
from tests.support.sweeps import SETTINGS, compiled_gradients, spec, step_of, write_rows

D, LATENTS, ROWS = 12, 40, 64
CPU = torch.device("cpu")
AUX = {"aux_k": 5, "aux_weight": 1.0, "dead_after": 1000}
#: type → settings of a sweep in which a step takes every turn that it can
SWEEPS = {
    "topk": {"k": [2, 6, 3], **AUX},
    "batch_topk": {"k": [2, 6, 3], **AUX},
    "matryoshka": {"k": [2, 6, 3], **AUX, "prefixes": [0.01, 0.1, 0.4, 1.0]},
    "jumprelu": {
        "l0": [0.003, 0.1, 0.03],
        "warmup_fraction": 0.05,
        "initial_threshold": 0.2,
        "bandwidth": 0.2,
    },
    "gated": {"l1": [0.03, 0.3, 0.1], "warmup_fraction": 0.05},
    "relu_l1": {"l1": [0.03, 0.3, 0.1], "warmup_fraction": 0.05, "gradient_clip": 0.5},
}
WITH_K = ("topk", "batch_topk", "matryoshka")
EVERY = pytest.mark.parametrize("name", SWEEPS)
#: Error of ten steps, against the largest number: only the order of sums differs.
PRECISION = pytest.mark.parametrize(
    ("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 3e-6)], ids=["float64", "float32"]
)
DEAD = [1, 4, 6, 9, 16, 25, 36]


def test_every_type_is_here():
    assert SWEEPS.keys() == SaeTypes.model_fields.keys()


def rows(seed=0, dtype=np.float32, shift=0.3):
    drawn = np.random.default_rng([seed, 7]).standard_normal((ROWS, D)) + shift
    return drawn.astype(np.float32).astype(dtype)


def members_of(name, dtype=np.float32, **changes):
    """A sweep in the middle of its training: no bias is zero, no weight tied, some latents dead."""
    members = sweeps.members_of(name, D, LATENTS, {**SWEEPS[name], **changes})
    for number, member in enumerate(members):
        rng = np.random.default_rng([number, 1])
        for p, array in list(member.parameters.items()):
            scattered = array + 0.2 * rng.standard_normal(array.shape)
            member.parameters[p] = scattered.astype(np.float32).astype(dtype)
        if member.sae_type.UNIT_DECODER:
            w = member.parameters["w_dec"]
            w /= np.linalg.norm(w, axis=1, keepdims=True)
        member.adam = Adam(member.parameters)
        for key, array in member.adam.arrays().items():
            if key.endswith(".square"):
                array += rng.uniform(1e-4, 1e-3, array.shape).astype(dtype)
        member.adam.steps = 1
        if name in WITH_K:
            member.parameters["b_enc"][DEAD] -= 1.5  # hardly ever in the code
            member.state["silent"][DEAD] = 5000
    return members


def assert_same(found, expected, tolerance):
    for one, other in zip(found, expected, strict=True):
        assert one.adam.steps == other.adam.steps
        assert one.arrays().keys() == other.arrays().keys()
        for key, array in other.arrays().items():
            mine = one.arrays()[key]
            assert mine.dtype == array.dtype
            assert np.abs(mine - array).max() <= tolerance * np.abs(array).max(), key


@PRECISION
@EVERY
@pytest.mark.parametrize("steps", [1, 10])
@pytest.mark.parametrize("fraction", [0.01, 0.5], ids=["in the ramp", "after it"])
def test_steps_are_those_of_the_compiled_members(name, steps, fraction, dtype, tolerance):
    mine, compiled = members_of(name, dtype), members_of(name, dtype)
    stack = Stack(mine, CPU)
    for step in range(steps):
        x = rows(step, dtype)
        stack.step(x, 3e-3, fraction + step / 1000)
        for member in compiled:
            step_of(member).step(x, 3e-3, fraction + step / 1000)
    stack.synchronise()
    assert_same(mine, compiled, tolerance)
    start = members_of(name, dtype)
    for key in mine[0].parameters:
        assert np.abs(mine[0].parameters[key] - start[0].parameters[key]).max() > 1e-4


def gradients_of(stack, x, ramp):
    stack.x = torch.from_numpy(x)
    stack.ramp.fill_(ramp)
    return stack.gradients()


@pytest.mark.parametrize(
    ("name", "ramp"),
    [*((name, 1.0) for name in WITH_K), *product(sorted({*SWEEPS} - {*WITH_K}), (0.0, 0.6))],
)
def test_gradients_are_those_of_the_compiled_members(name, ramp):
    x, members = rows(dtype=np.float64), members_of(name, np.float64)
    found = gradients_of(Stack(members_of(name, np.float64), CPU), x, ramp)
    for number, member in enumerate(members):
        expected = compiled_gradients(member, x, ramp)
        assert found.keys() == expected.keys()
        for key, gradient in expected.items():
            error = np.linalg.norm(found[key][number].numpy() - gradient)
            assert error <= 1e-12 * np.linalg.norm(gradient), key
            assert np.linalg.norm(gradient) > 0 or (key, ramp) == ("log_threshold", 0.0)


@pytest.mark.parametrize("aux_k", [0, 1, 3, len(DEAD), LATENTS, 500])
@pytest.mark.parametrize("name", WITH_K)
def test_auxk_is_that_of_the_compiled_members(name, aux_k):
    x = rows(dtype=np.float64)
    members, mine = (members_of(name, np.float64, aux_k=aux_k) for _ in range(2))
    stack = Stack(mine, CPU)
    found = gradients_of(stack, x, 1.0)
    for number, member in enumerate(members):
        for key, gradient in compiled_gradients(member, x).items():
            np.testing.assert_allclose(found[key][number], gradient, atol=1e-12)
        dead = np.flatnonzero(member.state["silent"] > AUX["dead_after"])
        assert 2 < len(dead) < len(DEAD)  # one or more has just fired
        np.testing.assert_array_equal(stack.state["silent"][number], member.state["silent"])
        assert (np.abs(found["w_enc"][number].numpy()[dead]).max() > 0) == (aux_k > 0)
        assert (np.abs(found["w_dec"][number].numpy()[dead]).max() > 0) == (aux_k > 0)


@pytest.mark.parametrize("name", WITH_K)
def test_a_batch_without_a_positive_latent_is_survived(name):
    members = members_of(name)
    for member in members:
        member.parameters["b_enc"][:] = -1e3
    stack = Stack(members, CPU)
    found = gradients_of(stack, rows(), 1.0)
    assert all((found[key] == 0).all() for key in ("w_enc", "b_enc", "w_dec"))
    assert (found["b_dec"] != 0).all()
    assert (stack.state["silent"] >= ROWS).all()


@PRECISION
@EVERY
def test_a_member_of_a_stack_is_as_if_alone(name, dtype, tolerance):
    together, alone = members_of(name, dtype), members_of(name, dtype)
    for members in (together, *([member] for member in alone)):
        stack = Stack(members, CPU)
        for step in range(5):
            stack.step(rows(step, dtype), 3e-3, step / 5)
        stack.synchronise()
    assert_same(together, alone, tolerance)


def test_each_members_gradient_is_clipped_by_its_own_norm():
    gradients = {"a": torch.tensor([[[3.0, 0.0]], [[0.3, 0.0]]]), "b": torch.tensor([[4.0], [0.4]])}
    clip_norm(gradients, 1.0)
    torch.testing.assert_close(gradients["a"], torch.tensor([[[0.6, 0.0]], [[0.3, 0.0]]]))
    torch.testing.assert_close(gradients["b"], torch.tensor([[0.8], [0.4]]))


# The start


def fresh(name):
    return sweeps.members_of(name, D, LATENTS, SWEEPS[name])


@EVERY
def test_the_encoder_starts_so_that_reconstructions_are_as_long_as_rows(name):
    members, x = fresh(name), rows(shift=0)
    stack = Stack(members, CPU)
    stack.step(x, 0.0, 0.0)  # at a rate of 0, so that nothing else moves
    stack.step(rows(1), 0.0, 0.0)
    stack.synchronise()
    for member, start in zip(members, fresh(name)):
        p = member.parameters
        np.testing.assert_allclose(p["w_dec"], start.parameters["w_dec"], atol=1e-6)
        if name not in WITH_K:
            for key, array in start.parameters.items():
                np.testing.assert_allclose(p[key], array, atol=1e-6)
            continue
        np.testing.assert_allclose(
            p["w_enc"] / p["w_dec"], p["w_enc"][0, 0] / p["w_dec"][0, 0], rtol=1e-5
        )
        pre = np.maximum(x @ p["w_enc"].T, 0)
        kept = (
            np.sort(pre, 1)[:, -member.sparsity, None]
            if name == "topk"
            else np.sort(pre, None)[-member.sparsity * ROWS]
        )
        made = np.where(pre >= kept, pre, 0) @ p["w_dec"]
        assert (made**2).sum() == pytest.approx((x**2).sum(), rel=1e-5)


# Whole fits


@pytest.fixture
def on_the_stack(monkeypatch):
    monkeypatch.setattr(fit_module, "stepper", lambda members: Stack(members, CPU))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_fit_on_the_stack_is_the_compiled_one_but_for_rounding(tmp_path, request, name):
    data = write_rows(tmp_path / "rows.json")
    fit(spec(name), data, tmp_path / "compiled" / "sae.json")
    request.getfixturevalue("on_the_stack")
    fit(spec(name), data, tmp_path / "stack" / "sae.json")
    mine, other = (
        read_tensors(tmp_path / run / "sae.safetensors")[0] for run in ("stack", "compiled")
    )
    for key, array in other.items():
        np.testing.assert_allclose(mine[key], array, atol=1e-4, err_msg=key)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("done", [0, 1, 11, 19, 20, 33])
def test_an_interrupted_fit_on_the_stack_ends_with_the_same_bytes(
    tmp_path, on_the_stack, monkeypatch, name, done
):
    data = write_rows(tmp_path / "rows.json")
    fit(spec(name), data, tmp_path / "whole" / "sae.json")
    monkeypatch.setattr(fit_module, "CHECKPOINT_INTERVAL", 0.0)
    taken, real = [], Stack.step

    def step(self, *arguments):
        if len(taken) == done:
            raise KeyboardInterrupt
        taken.append(real(self, *arguments))

    output = tmp_path / "cut" / "sae.json"
    with monkeypatch.context() as patch:
        patch.setattr(Stack, "step", step)
        with pytest.raises(KeyboardInterrupt):
            fit(spec(name), data, output)
    fit(spec(name), data, output)
    for suffix in (".json", ".parquet", ".safetensors"):
        whole = (tmp_path / "whole" / "sae.json").with_suffix(suffix)
        assert output.with_suffix(suffix).read_bytes() == whole.read_bytes()


# What a GPU asks for


@EVERY
def test_a_step_needs_no_number_on_the_host_and_no_tensor_beside_the_device(name):
    # meta tensors have a shape and a device and no numbers: to read one, or a shape that depends
    # on one, is an error, and so is a tensor of another device
    stack = Stack(members_of(name), torch.device("meta"))
    stack.x = torch.empty(ROWS, D, device="meta")
    stack.update()
    assert {t.device.type for t in stack.tensors.values()} == {"meta"}
    if hasattr(stack.sae_type, "start"):
        stack.sae_type.start(
            by_row(stack.parameters), stack.batch(), stack.sparsity, stack.settings
        )


class Queue:
    """For a stream or an event of a GPU: all that is asked of it has been done."""

    def __init__(self, device=None): ...

    def wait_stream(self, other): ...

    def wait_event(self, event): ...

    def record(self): ...

    def synchronize(self): ...


@pytest.fixture
def captures(monkeypatch):
    """Stand-ins on the CPU for what torch does on a GPU: capturing a step of ``stack`` changes no
    tensor, and a replay repeats it. Counts both."""
    seen = SimpleNamespace(stack=None, captured=0, replayed=0)

    class Graph:
        def replay(self):
            seen.replayed += 1
            seen.stack.update()

    @contextmanager
    def graph(captured, stream):
        before = {name: t.clone() for name, t in seen.stack.tensors.items()}
        yield
        for name, tensor in seen.stack.tensors.items():
            tensor.copy_(before[name])
        seen.captured += 1

    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *a, pin_memory=False, **k: empty(*a, **k))
    for name in ("Stream", "Event", "current_stream"):
        monkeypatch.setattr(torch.cuda, name, Queue)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.backends.cuda, "matmul", SimpleNamespace())
    return seen


@EVERY
def test_warm_up_capture_and_replay_take_one_step_each_time(name, captures):
    plain, captured = members_of(name), members_of(name)
    for members, kind in ((plain, Stack), (captured, CapturedStack)):
        captures.stack = stack = kind(members, CPU)
        for step in range(WARM_UP + 4):
            batch = rows(step)
            stack.step(batch, 3e-3 / (step + 1), step / 20)
            batch[:] = np.nan  # the stack has its own by now
        stack.synchronise()
    assert (captures.captured, captures.replayed) == (1, 4)
    assert torch.backends.cuda.matmul.fp32_precision == "tf32"
    assert_same(captured, plain, 0)


def test_a_fit_without_a_gpu_loads_no_torch(tmp_path):
    data = write_rows(tmp_path / "rows.json")
    program = (
        "import sys; from pathlib import Path; from interference.saes.fit import run as fit;"
        f"fit({spec()!r}, Path({str(data)!r}), Path({str(tmp_path / 'sae.json')!r}));"
        "assert 'torch' not in sys.modules"
    )
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


def driver(start=0, count=1):
    def devices(pointer):
        pointer._obj.value = count
        return 0

    return SimpleNamespace(cuInit=lambda _: start, cuDeviceGetCount=devices)


@pytest.mark.parametrize(
    ("found", "usable", "visible"),
    [
        (driver(), True, True),
        (driver(), False, False),
        (driver(count=0), True, False),
        (driver(start=100), True, False),
        (None, True, False),
    ],
    ids=["a GPU", "torch for CPUs", "no GPU", "a driver without one", "no driver"],
)
def test_a_gpu_is_one_that_the_driver_shows_and_torch_can_use(monkeypatch, found, usable, visible):
    def load(_):
        if found is None:
            raise OSError
        return found

    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: usable)
    assert gpu.visible() is visible


@pytest.mark.parametrize("visible", [True, False])
def test_a_gpu_is_given_the_captured_stack(monkeypatch, visible):
    monkeypatch.setattr(gpu, "visible", lambda: visible)
    monkeypatch.setattr(stacked, "CapturedStack", lambda *_: "captured")
    chosen = stepper(members_of("topk"))
    assert chosen == "captured" if visible else isinstance(chosen, OneByOne)
