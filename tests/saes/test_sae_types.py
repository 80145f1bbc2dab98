"""What SAE types keep to: starts, unit rows, AuxK, penalties, dictionaries; and that they train."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from interference.analysis.frames import SAE_TYPES
from interference.config.saes import SaeTypes
from interference.saes import compiled, types
from interference.saes.fit import calibrate
from interference.saes.member import Member
from interference.saes.metrics import score
from interference.saes.types import batch_topk, gated, jumprelu, matryoshka, relu_l1, topk
from tests.support.sweeps import compiled_gradients, step_of

D, LATENTS, ROWS, K = 6, 20, 32, 4
AUX = {"aux_k": 6, "aux_weight": 1.0, "dead_after": 1000}
PREFIXES = [0.1, 0.3, 0.65, 1.0]
WARMUP = {"warmup_fraction": 0.05}
JUMP = {"l0": [0.003, 0.01, 0.03], **WARMUP, "initial_threshold": 0.1, "bandwidth": 0.1}
#: module → (settings of a sweep from dense to sparse, the sparsity of the tests)
TYPES = {
    batch_topk: (batch_topk.Settings(k=[8, 4, 2], **AUX), K),
    matryoshka: (matryoshka.Settings(k=[8, 4, 2], **AUX, prefixes=PREFIXES), K),
    jumprelu: (jumprelu.Settings(**JUMP), 0.03),
    gated: (gated.Settings(l1=[0.03, 0.1, 0.3], **WARMUP), 0.1),
}
#: The two of the default.
OTHERS = {
    topk: (topk.Settings(k=[8, 4, 2], **AUX), K),
    relu_l1: (relu_l1.Settings(l1=[0.1, 0.3, 1.0], **WARMUP, gradient_clip=1.0), 0.3),
}
ALL = pytest.mark.parametrize(
    "module", {**TYPES, **OTHERS}, ids=lambda m: m.__name__.rsplit(".", 1)[1]
)
EVERY = pytest.mark.parametrize("module", TYPES, ids=lambda m: m.__name__.rsplit(".", 1)[1])
POOLED = pytest.mark.parametrize("module", [batch_topk, matryoshka], ids=["batch", "matryoshka"])


def rows(seed=0, count=ROWS, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal((count, D)).astype(np.float32).astype(dtype)


def member_of(module, dtype=np.float32, scatter=0.3, **changes):
    """A member whose parameters are scattered, so that no bias is zero and no weight tied."""
    settings, sparsity = {**TYPES, **OTHERS}[module]
    settings = type(settings)(**{**vars(settings), **changes})
    member = Member(module, settings, sparsity, D, LATENTS, seed=0)
    rng = np.random.default_rng(1)
    for name, p in member.parameters.items():
        p += (scatter * rng.standard_normal(p.shape)).astype(np.float32)
        member.parameters[name] = p.astype(dtype)
    return member


def assert_close(found, expected, tolerance):
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        scale = np.linalg.norm(gradient)
        assert scale > 0, name
        assert np.linalg.norm(found[name] - gradient) <= tolerance * scale, name


# What every type keeps to


@POOLED
def test_auxk_reaches_chosen_dead_latents_and_never_b_dec(module):
    quiet, loud = member_of(module, aux_weight=0.0), member_of(module, aux_k=1)
    for member in (quiet, loud):
        member.parameters["b_enc"][:5] -= 2.0
        member.parameters["b_enc"][4] -= 100.0  # dead, and never among the chosen
        member.state["silent"][:5] = 10_000
    x = rows(dtype=np.float32)
    without, with_aux = compiled_gradients(quiet, x), compiled_gradients(loud, x)
    dead = np.flatnonzero(loud.state["silent"] > 1000)
    assert 4 in dead
    assert 2 < len(dead) <= 5
    np.testing.assert_array_equal(without["b_dec"], with_aux["b_dec"])
    others = np.setdiff1d(np.arange(LATENTS), dead[dead != 4])
    for name in ("w_enc", "b_enc", "w_dec"):
        np.testing.assert_array_equal(without[name][others], with_aux[name][others])
        assert (without[name][dead] == 0).all()
        assert (with_aux[name][dead] != 0).any()


@POOLED
def test_a_batch_without_a_positive_latent_is_survived(module):
    member = member_of(module)
    member.parameters["b_enc"][:] = -1e3
    found = compiled_gradients(member, rows(dtype=np.float32))
    assert (member.state["silent"] == ROWS).all()
    assert all((found[name] == 0).all() for name in ("w_enc", "b_enc", "w_dec"))
    assert (found["b_dec"] != 0).any()


@EVERY
def test_decoder_rows_have_unit_norm_after_each_step(module):
    settings, sparsity = TYPES[module]
    member = Member(module, settings, sparsity, D, LATENTS, seed=0)
    trainer = step_of(member)
    for step in range(20):
        norms = np.linalg.norm(member.parameters["w_dec"], axis=1)
        np.testing.assert_allclose(norms, 1, atol=1e-6)
        before = member.parameters["w_dec"].copy()
        trainer.step(rows(step, dtype=np.float32), rate=0.05, fraction=step / 20)
        assert (member.parameters["w_dec"] != before).any()


@EVERY
def test_the_start_is_tied_at_unit_norm_without_biases(module):
    settings, sparsity = TYPES[module]
    p = Member(module, settings, sparsity, D, LATENTS, seed=3).parameters
    encoder = p["w_gate"] if module is gated else p["w_enc"]
    np.testing.assert_array_equal(encoder, p["w_dec"])
    assert encoder is not p["w_dec"]
    assert not any(p[name].any() for name in p if name.startswith("b_"))
    assert all(array.dtype == np.float32 for array in p.values())


@ALL
def test_a_batch_twice_over_has_the_gradient_of_the_batch(module):
    # so neither penalty nor error grows with the batch
    once, twice = (member_of(module, np.float64) for _ in range(2))
    x = rows()
    expected = compiled_gradients(once, x)
    found = compiled_gradients(
        twice, np.concatenate([x, x + 1e-13])
    )  # no ties at the bar of a batch
    assert_close(found, expected, 1e-9)


@ALL
def test_the_order_of_a_batch_does_not_matter(module):
    a, b = member_of(module), member_of(module)
    x = rows(dtype=np.float32)
    shuffled = x[np.random.default_rng(5).permutation(ROWS)]
    assert_close(compiled_gradients(a, shuffled), compiled_gradients(b, x), 1e-6)
    if module in (topk, batch_topk, matryoshka):
        np.testing.assert_array_equal(a.state["silent"], b.state["silent"])


@pytest.mark.parametrize("module", [jumprelu, gated], ids=["jumprelu", "gated"])
@pytest.mark.parametrize(("fraction", "share"), [(0.0, 0.0), (0.025, 0.5), (0.05, 1), (0.9, 1)])
def test_the_penalty_rises_over_the_first_part_of_training(module, fraction, share, monkeypatch):
    member, sparsity = member_of(module), TYPES[module][1]
    trainer, seen = step_of(member), []
    real = trainer.gradients
    monkeypatch.setattr(trainer, "gradients", lambda x, p: (seen.append(p), real(x, p))[1])
    trainer.step(rows(dtype=np.float32), rate=1e-3, fraction=fraction)
    assert seen == [pytest.approx(share * sparsity * (D if module is jumprelu else D**0.5))]


@EVERY
def test_arrays_are_all_that_training_changes_and_live(module):
    member, other = member_of(module), member_of(module)
    for step in range(4):
        step_of(member).step(rows(step, dtype=np.float32), rate=0.01, fraction=step / 8)
    for name, array in member.arrays().items():
        other.arrays()[name][...] = array
    other.adam.steps = member.adam.steps
    for step in range(4, 8):
        for m in (member, other):
            step_of(m).step(rows(step, dtype=np.float32), rate=0.01, fraction=step / 8)
    found, expected = other.arrays(), member.arrays()
    assert len({id(array) for array in expected.values()}) == len(expected)
    for name, array in expected.items():
        assert found[name].tobytes() == array.tobytes(), name
    dictionaries = (member.dictionary(), other.dictionary())
    assert dictionaries[0].w_enc.tobytes() == dictionaries[1].w_enc.tobytes()


@EVERY
def test_a_dictionary_is_a_copy_of_its_member(module):
    member = member_of(module)
    dictionary = member.dictionary()
    names = ("w_enc", "b_enc", "w_dec", "b_dec", "threshold")
    before = {name: np.copy(getattr(dictionary, name)) for name in names}
    for p in member.parameters.values():
        p += 1
    for name, array in before.items():
        np.testing.assert_array_equal(getattr(dictionary, name), array)


# What is stored says what the member says


@POOLED
def test_threshold_inference_on_the_rows_that_set_it_is_the_code_of_that_batch(module):
    member, x = member_of(module), rows(count=400, dtype=np.float32)
    p = {name: torch.tensor(array) for name, array in member.parameters.items()}
    rectified = ((torch.tensor(x) - p["b_dec"]) @ p["w_enc"].T + p["b_enc"]).relu()
    f = rectified * (rectified > rectified.flatten().sort(descending=True).values[K * 400])
    dictionary = calibrate(member.dictionary(), x)
    np.testing.assert_allclose(dictionary.encode(x), f, atol=2e-5)
    expected = f @ p["w_dec"] + p["b_dec"]
    np.testing.assert_allclose(dictionary.decode(dictionary.encode(x)), expected, atol=5e-5)


def test_the_code_of_a_jumprelu_dictionary_is_the_members():
    member, x = member_of(jumprelu), rows(count=400, dtype=np.float32)
    p = member.parameters
    z, threshold = x @ p["w_enc"].T + p["b_enc"], np.exp(p["log_threshold"])
    assert ((z > 0) & (z < threshold)).any()
    dictionary = member.dictionary()
    np.testing.assert_allclose(dictionary.encode(x), np.where(z > threshold, z, 0), atol=1e-5)
    np.testing.assert_array_equal(dictionary.threshold, threshold)


@pytest.mark.parametrize("scatter", [0.3, 1.0])
def test_a_gated_sae_is_a_jumprelu_sae(scatter):
    member, x = member_of(gated, scatter=scatter), rows(count=400)
    p = {name: array.astype(np.float64) for name, array in member.parameters.items()}
    c = (x - p["b_dec"]) @ p["w_gate"].T
    magnitude = np.exp(p["r_mag"]) * c + p["b_mag"]
    f = np.where(c + p["b_gate"] > 0, np.maximum(magnitude, 0), 0)
    dictionary = member.dictionary()
    code = dictionary.encode(x.astype(np.float32))
    # thresholds above zero, where the gate decides, and at zero, where the ReLU does
    assert (dictionary.threshold > 0).any()
    assert (dictionary.threshold == 0).any()
    np.testing.assert_array_equal(code > 0, f > 0)
    np.testing.assert_allclose(code, f, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(code, dictionary.encode_threshold(x.astype(np.float32)))


def test_matryoshka_of_one_prefix_is_batch_topk():
    one, other = (
        member_of(matryoshka, np.float64, prefixes=[1.0]),
        member_of(batch_topk, np.float64),
    )
    assert_close(compiled_gradients(one, rows()), compiled_gradients(other, rows()), 1e-12)


def test_batch_topk_of_one_row_is_topk():
    pooled = member_of(batch_topk, np.float64)
    single = Member(topk, topk.Settings(k=[K], **AUX), K, D, LATENTS, seed=0)
    single.parameters = pooled.parameters
    x = rows(count=1)
    assert_close(compiled_gradients(pooled, x), compiled_gradients(single, x), 1e-12)


# Training


def sparse_rows(count, seed):
    """Three of 24 features in 12 dimensions, standardised with the same numbers for every seed."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((24, 12))
    rng = np.random.default_rng([seed, 1])
    codes = np.zeros((count, 24))
    for row in codes:
        row[rng.choice(24, 3, replace=False)] = rng.uniform(0.5, 1.5, 3)
    x = (codes - 3 / 24) @ features / np.linalg.norm(features, axis=1).mean()
    return (x / x.std()).astype(np.float32)


@EVERY
def test_training_lowers_fvu_and_the_sweep_moves_l0(module):
    settings, _ = TYPES[module]
    x, heldout = sparse_rows(4000, 1), sparse_rows(500, 2)[:, None]
    summaries = []
    for sparsity in getattr(settings, module.SPARSITY):
        member = Member(module, settings, sparsity, 12, 48, seed=0)
        start = score(calibrate(member.dictionary(), x), heldout).summary
        trainer, order = step_of(member), np.random.default_rng(3)
        for step in range(600):
            rate = 5e-3 * min(1.0, (1 - step / 600) / 0.2)
            trainer.step(x[order.integers(0, 4000, 100)], rate, step / 600)
        end = score(calibrate(member.dictionary(), x), heldout).summary
        assert end["fvu"] < start["fvu"] / 3
        assert end["fvu"] < 0.3
        summaries.append(end)
    fvu, l0 = ([s[name] for s in summaries] for name in ("fvu", "l0"))
    assert l0 == sorted(l0, reverse=True)
    assert l0[-1] < 0.6 * l0[0]
    assert fvu == sorted(fvu)
    if module.SPARSITY == "k":
        np.testing.assert_allclose(l0, settings.k, rtol=0.1)


@pytest.mark.parametrize("name", SaeTypes.model_fields)
def test_a_type_has_one_name_in_config_code_and_figures(name):
    module = importlib.import_module(f"interference.saes.types.{name}")
    section = next(
        a for a in SaeTypes.model_fields[name].annotation.__args__ if a is not type(None)
    )
    assert module.Settings is section
    assert next(iter(section.model_fields)) == module.SPARSITY
    assert name in SAE_TYPES


def modules(package):
    return {path.stem for path in Path(package.__path__[0]).glob("*.py")} - {"__init__"}


def test_every_module_of_a_type_is_in_the_config():
    assert modules(types) == set(SaeTypes.model_fields) == set(SAE_TYPES)
    assert modules(compiled) <= modules(types)
