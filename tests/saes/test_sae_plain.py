"""A type that is its settings and its loss and no more: it trains on a CPU, by autograd."""

import sys

import numpy as np
import pytest

from interference.saes import types
from interference.saes.fit import run as fit
from interference.saes.metrics import score
from interference.saes.stepper import Apart, compiled, stepper
from interference.store.files import read_json, sha256
from tests.support import sweeps
from tests.support.sweeps import members_of, spec, write_rows

#: What docs/developing.md asks for.
PLAIN = '''"""ReLU with a penalty on the square roots of activations."""

from dataclasses import dataclass

import numpy as np

from interference.saes.dictionary import Dictionary, initial_directions

SPARSITY = "weight"
UNIT_DECODER = True


@dataclass(frozen=True)
class Settings:
    """The sweep of the penalty's weight, and the share of training in which it rises."""

    weight: list[float]
    warmup_fraction: float


def parameters(settings, d, latents, seed):
    w_dec = initial_directions(d, latents, seed)
    biases = np.zeros(latents, np.float32), np.zeros(d, np.float32)
    return {"w_enc": w_dec.copy(), "b_enc": biases[0], "w_dec": w_dec, "b_dec": biases[1]}


def loss(p, x, weight, settings, state):
    f = (x @ p["w_enc"].mT + p["b_enc"]).relu()
    made = f @ p["w_dec"] + p["b_dec"]
    return (x - made).square().sum(-1).mean(-1) + weight * (f + 1e-3).sqrt().sum(-1).mean(-1)


def dictionary(p, weight):
    return Dictionary(*(p[name].copy() for name in ("w_enc", "b_enc", "w_dec", "b_dec")))
'''
SETTINGS = {"weight": [0.05, 1.0], "warmup_fraction": 0.05}


@pytest.fixture
def plain(tmp_path, monkeypatch):
    """The name of the type, which a folder of its own adds to the package."""
    (tmp_path / "types").mkdir()
    (tmp_path / "types" / "plain.py").write_text(PLAIN)
    monkeypatch.setattr(types, "__path__", [*types.__path__, str(tmp_path / "types")])
    monkeypatch.setitem(sweeps.SETTINGS, "plain", SETTINGS)
    yield "plain"
    sys.modules.pop("interference.saes.types.plain", None)


def test_a_type_without_a_compiled_step_trains_and_its_sweep_moves_l0(tmp_path, plain):
    data = write_rows(tmp_path / "rows.json")
    fit(spec(plain, rows=20_000, seeds=[0]), data, tmp_path / "sae.json")
    dense, sparse = read_json(tmp_path / "sae.json")["members"]
    heldout = np.random.default_rng(0).standard_normal((430, 2, 8)).astype(np.float32)[400:]
    start = score(members_of(plain)[0].dictionary(), heldout).summary
    assert dense["fvu"] < start["fvu"] / 2
    assert sparse["l0"] < 0.8 * dense["l0"]
    assert sparse["fvu"] > dense["fvu"]


def test_it_repeats_and_a_member_does_not_depend_on_the_others(tmp_path, plain):
    data = write_rows(tmp_path / "rows.json")
    for run in "ab":
        fit(spec(plain, seeds=[0]), data, tmp_path / run / "sae.json")
    for suffix in (".json", ".parquet", ".safetensors"):
        a, b = (sha256((tmp_path / run / "sae.json").with_suffix(suffix)) for run in "ab")
        assert a == b
    together, alone = members_of(plain), members_of(plain)
    x = np.random.default_rng(1).standard_normal((50, 8)).astype(np.float32)
    for members in (together, alone[1:]):
        trainer = stepper(members)
        assert isinstance(trainer, Apart)
        trainer.take([(x, 2e-3, 0.1), (x, 2e-3, 0.2)])
        trainer.synchronise()
    for name, array in together[1].arrays().items():
        assert array.tobytes() == alone[1].arrays()[name].tobytes()


def test_every_type_of_ours_has_a_compiled_step():
    for name in sweeps.SETTINGS:
        assert compiled(sweeps.type_of(name)), f"{name} would train at a fraction of the speed"
