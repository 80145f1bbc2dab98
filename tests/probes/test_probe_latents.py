"""Active latents under attack, against a loop over rows and latents."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from interference.analysis.l0 import count_active, measure

from interference.saes.dictionary import Dictionary, calibrated_threshold, stack
from interference.store.arrays import writing
from interference.store.files import StoreError, sha256, write_json
from interference.store.tensors import write_tensors

D, LATENTS, CONDITIONS, IMAGES, POSITIONS = 5, 12, 3, 4, 6


def dictionary(seed=0, threshold=0.0, k=0):
    rng = np.random.default_rng(seed)
    w_enc, b_enc = rng.standard_normal((LATENTS, D)), rng.standard_normal(LATENTS)
    arrays = [a.astype(np.float32) for a in (w_enc, b_enc, w_enc, rng.standard_normal(D))]
    return Dictionary(*arrays, k=k, threshold=threshold)


def activations(seed=1):
    rng = np.random.default_rng(seed)
    shape = (CONDITIONS * IMAGES, POSITIONS, D)
    return rng.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("threshold", [0.0, 0.7, 3.0])
def test_counts_are_those_of_a_loop(threshold):
    sae, x = dictionary(threshold=threshold), activations()
    l0, woken = count_active(sae, x, CONDITIONS)
    assert l0.shape == woken.shape == (CONDITIONS, IMAGES)
    for c in range(CONDITIONS):
        for i in range(IMAGES):
            active = newly = 0
            for p in range(POSITIONS):
                for w, b in zip(sae.w_enc.astype(float), sae.b_enc.astype(float)):
                    now = w @ x[c * IMAGES + i, p] + b > threshold
                    before = w @ x[i, p] + b > threshold
                    active += now
                    newly += now and not before
            assert l0[c, i] == pytest.approx(active / POSITIONS)
            assert woken[c, i] == pytest.approx(newly / POSITIONS)


def test_every_latent_is_counted_at_its_own_threshold():
    thresholds = np.linspace(0, 2, LATENTS).astype(np.float32)
    sae, x = dictionary(threshold=thresholds), activations()
    l0, _ = count_active(sae, x, CONDITIONS)
    active = sae.rectified(x.reshape(-1, D)) > thresholds
    np.testing.assert_allclose(l0, active.sum(1).reshape(CONDITIONS, IMAGES, -1).mean(2))
    together, _ = count_active(dictionary(threshold=1.0), x, CONDITIONS)
    assert (l0 != together).any()


def test_nothing_wakes_up_on_the_clean_images_themselves():
    x = activations()[:IMAGES]
    l0, woken = count_active(dictionary(), np.concatenate([x, x]), 2)
    assert (woken == 0).all()
    np.testing.assert_array_equal(l0[0], l0[1])


def test_the_count_is_that_of_threshold_inference():
    sae, x = dictionary(threshold=0.4, k=3), activations()
    l0, _ = count_active(sae, x, CONDITIONS)
    active = sae.encode_threshold(x.reshape(-1, D)) > 0
    expected = active.sum(1).reshape(CONDITIONS, IMAGES, POSITIONS).mean(2)
    np.testing.assert_allclose(l0, expected)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_l0_at_the_threshold_is_k_on_the_rows_that_set_it(k):
    x = activations()
    sae = dictionary(k=k)
    sae = replace(sae, threshold=calibrated_threshold(sae.rectified(x.reshape(-1, D)), k))
    l0, _ = count_active(sae, x, CONDITIONS)
    assert l0.mean() == pytest.approx(k)
    assert l0.std() > 0


def test_the_job_writes_a_row_for_each_member_condition_and_image(tmp_path):
    saes = [dictionary(0, 0.2), dictionary(1, 0.5)]
    sae, attacked, output = (tmp_path / n for n in ("sae.json", "attacked.json", "l0.parquet"))
    write_tensors(sae.with_suffix(".safetensors"), stack(saes), {})
    members = [{"sparsity": 4.0, "sae_seed": 0}, {"sparsity": 8.0, "sae_seed": 0}]
    digest = sha256(sae.with_suffix(".safetensors"))
    identity = {
        "model": "m",
        "model_architecture": "resnet18",
        "model_norm": "l2",
        "model_epsilon": 1.0,
        "model_seed": 0,
    }
    fitted = {"model": identity, "layer": "stem", "type": "topk"}
    write_json(sae, {"spec": fitted, "members": members, "sha256": digest})
    x = activations()
    with writing(attacked.with_suffix(".zarr"), x.shape, "float32", {}) as writer:
        writer.append(x)
    conditions = [
        {"attack": "clean", "epsilon": 0.0},
        {"attack": "pgd", "epsilon": 1.0},
        {"attack": "noise", "epsilon": 1.0},
    ]
    manifest = {"spec": {"model": identity}, "layer": "stem", "array": writer.manifest()}
    write_json(attacked, {**manifest, "conditions": conditions})
    measure({"model": identity}, [sae, attacked], output)

    table = pd.read_parquet(output)
    assert (table["layer"] == "stem").all()
    assert (table["type"] == "topk").all()
    assert (table["model"] == "m").all()
    assert len(table) == 2 * CONDITIONS * IMAGES
    for member, dictionary_ in zip(members, saes):
        l0, woken = count_active(dictionary_, x, CONDITIONS)
        for c, condition in enumerate(conditions):
            rows = table[
                (table["sparsity"] == member["sparsity"]) & (table["attack"] == condition["attack"])
            ]
            assert rows["image"].tolist() == list(range(IMAGES))
            assert rows["epsilon"].tolist() == [condition["epsilon"]] * IMAGES
            np.testing.assert_array_equal(rows["l0"], l0[c])
            np.testing.assert_array_equal(rows["woken"], woken[c])

    with pytest.raises(StoreError, match=r"sae.json: no attacked activations of stem were given"):
        measure({"model": identity}, [sae], output)
    with pytest.raises(StoreError, match=r"attacked.json: model is .* the job is about"):
        measure({"model": {**identity, "model_seed": 1}}, [attacked, sae], output)
