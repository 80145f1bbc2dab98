"""The job of a layer: what it looks at, what it writes, what it keeps, and what it refuses."""

import json
import shutil
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch

from interference.cli.clean import KEPT
from interference.data.labels import labels_sha256
from interference.data.read import read_split
from interference.models import feeding
from interference.models.network import load_network
from interference.probes import layer as layers
from interference.probes import measure
from interference.probes.latents import Probe, respond
from interference.store.arrays import open_array, writing
from interference.store.files import StoreError, write_json
from interference.store.tables import read_columns, write_table
from interference.store.tensors import read_described, read_tensors, write_tensors
from tests.support.probes import (
    ATTACKS,
    CONDITIONS,
    IMAGES,
    MODEL,
    PIXELS,
    WIDTHS,
    described,
    dictionaries,
    identity,
    inputs,
    job,
    sparse,
    write_attack,
    write_network,
    write_sweep,
)

BOTH = ("topk", "relu_l1")
TABLES = ("l0", "splice", "moved")


@pytest.fixture
def seen(monkeypatch):
    """What is measured: (probe, activations of each condition) of each call."""
    calls = []

    def recorded(probe, conditions):
        calls.append((probe, [values.copy() for values in conditions]))
        return respond(probe, conditions)

    monkeypatch.setattr(measure, "respond", recorded)
    return calls


@pytest.fixture
def own(inputs_folder, tmp_path):
    """Inputs of the layer stem, to be changed."""
    folder = tmp_path / "inputs"
    shutil.copytree(inputs_folder, folder, ignore=shutil.ignore_patterns("layer2", "layer4"))
    return folder


@pytest.fixture
def images(small_images, tmp_path):
    """The image store, to be changed."""
    shutil.copytree(small_images.parent, tmp_path / "images")
    return tmp_path / "images" / small_images.name


def run(folder, data, output, spec=None):
    """The tables of a job."""
    spec = spec or job()
    output.mkdir(exist_ok=True)
    measure.run(spec, **inputs(folder, data, spec), output=output / "l0.parquet")
    return [pd.read_parquet(output / f"{name}.parquet") for name in TABLES]


def bytes_of(output):
    return [(output / f"{name}.parquet").read_bytes() for name in TABLES]


def members(layer, types):
    """(type, sparsity, dictionary) in the order of the tables."""
    return [(t, *member) for t in types for member in dictionaries(t, WIDTHS[layer]).items()]


# what is looked at


@pytest.mark.parametrize("layer", WIDTHS)
def test_what_is_counted_is_a_direct_forward_pass_condition_by_condition(
    layer, inputs_folder, small_images, tmp_path, seen, monkeypatch
):
    monkeypatch.setattr(feeding, "MOST_IMAGES", 4)
    run(inputs_folder, small_images, tmp_path, job(layer))
    clean = read_split(small_images, "evaluation", IMAGES).pixels[:].astype(np.float32) / 255
    manifests = [inputs_folder / f"{name}.json" for name in ATTACKS]
    attacked = [
        open_array(p.with_suffix(".zarr"), json.loads(p.read_text())["array"])[:] for p in manifests
    ]
    statistics, _ = read_tensors(inputs_folder / layer / "rows.safetensors")
    network = load_network(inputs_folder / "m.json")
    with torch.inference_mode():
        raw = network.activations(torch.from_numpy(np.concatenate([clean, *attacked])), layer)
    expected = (raw.numpy() - statistics["mean"]) / statistics["std"]
    expected = expected.reshape(len(PIXELS), IMAGES, *expected.shape[1:])
    sweep = len(dictionaries("topk", WIDTHS[layer]))
    batches = [values for _, values in seen[::sweep]]
    assert [len(values[0]) for values in batches] == [4, 4, 1]
    for c in range(len(PIXELS)):
        whole = np.concatenate([values[c] for values in batches])
        assert whole.dtype == np.float32
        np.testing.assert_allclose(whole, expected[c], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("layer", WIDTHS)
def test_rows_are_in_the_order_of_types_members_conditions_and_images(
    layer, inputs_folder, small_images, tmp_path, seen
):
    l0, splice, moved = run(inputs_folder, small_images, tmp_path, job(layer, BOTH))
    indices = read_split(small_images, "evaluation", IMAGES).indices.tolist()
    each = members(layer, BOTH)
    keys = ["type", "sparsity", "sae_seed", "attack", "epsilon", "image"]
    assert l0[keys].to_numpy().tolist() == [
        [t, sparsity, 0, attack, epsilon, image]
        for t, sparsity, _ in each
        for attack, epsilon in CONDITIONS
        for image in indices
    ]
    keys = ["type", "sparsity", "sae_seed", "image"]
    assert splice[keys].to_numpy().tolist() == [
        [t, sparsity, 0, image] for t, sparsity, _ in each for image in indices
    ]
    assert moved[["attack", "epsilon", "image"]].to_numpy().tolist() == [
        [attack, epsilon, image] for attack, epsilon in CONDITIONS for image in indices
    ]
    for table in (l0, splice, moved):
        assert (table[[*MODEL, "layer"]] == [*MODEL.values(), layer]).all(axis=None)
    heldout = open_array(
        inputs_folder / layer / "rows.heldout.zarr",
        json.loads((inputs_folder / layer / "rows.json").read_text())["heldout"],
    )[:]
    for (_, _, dictionary), (_, values), (_, rows) in zip(
        each, seen, l0.groupby(["type", "sparsity"], sort=False), strict=True
    ):
        for name, array in respond(Probe.of(dictionary, heldout), values).items():
            assert rows[name].tolist() == array.ravel().tolist()
    assert (l0["woken"] <= l0["l0"]).all()
    assert (l0.loc[l0["attack"] == "clean", "woken"] == 0).all()
    assert l0.loc[l0["attack"] != "clean", "woken"].max() > 0


def test_each_image_goes_through_the_network_once_a_condition_however_many_saes(
    inputs_folder, small_images, tmp_path, monkeypatch
):
    calls = Counter()

    def counted(manifest):
        network = load_network(manifest)
        for name, module in network.stages():
            module[0].register_forward_hook(
                lambda _, inputs, __, name=name: calls.update({name: len(inputs[0])})
            )
        return network

    monkeypatch.setattr(measure, "load_network", counted)
    monkeypatch.setattr(feeding, "MOST_IMAGES", 4)
    run(inputs_folder, small_images, tmp_path, job("layer2", BOTH))
    first = 1 + (len(PIXELS) + 1) * IMAGES  # one for its size; clean images to the end, too
    assert (calls["stem"], calls["layer2"]) == (first, first)
    # the network as it is, with the mean in place, and with what each SAE makes of the layer
    assert calls["layer3"] == (2 + len(members("layer2", BOTH))) * IMAGES


@pytest.mark.parametrize("limit", ["MOST_BYTES", "MOST_IMAGES"])
@pytest.mark.parametrize("layer", WIDTHS)
def test_results_do_not_depend_on_how_much_goes_at_once(
    layer, limit, inputs_folder, small_images, tmp_path, seen, monkeypatch
):
    expected = run(inputs_folder, small_images, tmp_path / "whole", job(layer))
    whole = len(seen)
    if limit == "MOST_IMAGES":
        monkeypatch.setattr(feeding, limit, 2)
    else:
        values = seen[0][1][0]
        monkeypatch.setattr(layers, limit, 3 * len(CONDITIONS) * values[:1].nbytes)
    again = run(inputs_folder, small_images, tmp_path / "parts", job(layer))
    assert (len(seen) - whole) / whole == {"MOST_BYTES": 3, "MOST_IMAGES": 5}[limit]
    for mine, theirs in zip(again, expected, strict=True):
        pd.testing.assert_frame_equal(mine, theirs, rtol=1e-4, atol=1e-6)


# what is kept


def test_another_type_is_measured_alone_and_gives_the_bytes_of_both_together(
    inputs_folder, small_images, tmp_path, seen
):
    run(inputs_folder, small_images, tmp_path / "grown", job())
    first = len(seen)
    assert first == len(dictionaries("topk", WIDTHS["stem"]))
    run(inputs_folder, small_images, tmp_path / "grown", job(types=BOTH))
    assert [probe.dictionary.threshold[0] for probe, _ in seen[first:]] == [
        np.float32(d.threshold) for d in dictionaries("relu_l1", WIDTHS["stem"]).values()
    ]
    run(inputs_folder, small_images, tmp_path / "together", job(types=BOTH))
    assert bytes_of(tmp_path / "grown") == bytes_of(tmp_path / "together")


def test_what_was_measured_needs_no_network(inputs_folder, small_images, tmp_path, monkeypatch):
    run(inputs_folder, small_images, tmp_path, job(types=BOTH))
    before = bytes_of(tmp_path)
    for name in TABLES:
        (tmp_path / f"{name}.parquet").unlink()
    monkeypatch.setattr(measure, "load_network", lambda _: pytest.fail("a network was loaded"))
    run(inputs_folder, small_images, tmp_path, job(types=BOTH))
    assert bytes_of(tmp_path) == before


def test_what_is_kept_has_the_names_that_clean_removes(inputs_folder, small_images, tmp_path):
    run(inputs_folder, small_images, tmp_path, job(types=BOTH))
    hidden = {path.name for path in tmp_path.iterdir()} - {f"{name}.parquet" for name in TABLES}
    assert {name.split(".")[1] for name in hidden} == set(BOTH)
    assert len(hidden) == 2
    assert all(KEPT.fullmatch(name) for name in hidden)


def damaged_bytes(path):
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)


def cut(path):
    path.write_bytes(path.read_bytes()[:-8])


def of_another(path):
    """As `store.tensors.write_kept` of other work would leave it under this name."""
    arrays, content = read_tensors(path)
    write_tensors(path, arrays, {**content, "identity": {**content["identity"], "sae": "other"}})


@pytest.mark.parametrize("damage", [damaged_bytes, cut, of_another])
def test_a_kept_file_that_is_damaged_is_told_with_its_mend(
    damage, inputs_folder, small_images, tmp_path
):
    run(inputs_folder, small_images, tmp_path, job(types=BOTH))
    before = bytes_of(tmp_path)
    (kept,) = tmp_path.glob(".topk.*")
    damage(kept)
    with pytest.raises(StoreError, match=r"\.topk\..* is damaged.*remove it and run snakemake"):
        run(inputs_folder, small_images, tmp_path, job(types=BOTH))
    kept.unlink()
    run(inputs_folder, small_images, tmp_path, job(types=BOTH))
    assert bytes_of(tmp_path) == before


def another_network(folder, data):
    write_network(folder / "m.json", seed=1)


def another_attack(folder, data):
    write_attack(folder / "noise.json", "noise", seed=1)


def other_rows(folder, data):
    rows = folder / "stem" / "rows.json"
    arrays, manifest = read_described(rows)
    content = {name: manifest[name] for name in ("spec", "heldout")}
    described(rows, {**arrays, "std": 2 * arrays["std"]}, **content)


def other_heldout_rows(folder, data):
    rows = folder / "stem" / "rows.json"
    manifest = json.loads(rows.read_text())
    store = rows.with_suffix(".heldout.zarr")
    values = 2 * open_array(store, manifest["heldout"])[:]
    shutil.rmtree(store)
    with writing(store, values.shape, "float32", {}) as writer:
        writer.append(values)
    write_json(rows, {**manifest, "heldout": writer.manifest()})


def other_labels(folder, data):
    table = data.with_suffix(".parquet")
    columns = read_columns(table)
    columns["label"] = (columns["label"] + 1) % 4
    write_table(table, columns, {})
    manifest = json.loads(data.read_text())
    write_json(data, {**manifest, "labels_sha256": labels_sha256(columns["label"])})


def other_evaluation_images(folder, data):
    manifest = json.loads(data.read_text())
    manifest["splits"]["evaluation"] = [51, 60]
    write_json(data, manifest)


ANEW = {
    "network": another_network,
    "attack": another_attack,
    "rows": other_rows,
    "held-out rows": other_heldout_rows,
    "labels": other_labels,
    "images": other_evaluation_images,
}


@pytest.mark.parametrize("what", ANEW)
def test_all_is_measured_anew_where_an_input_is_another(what, own, images, tmp_path, seen):
    """Beside the kept files of before, whose results a fresh folder does not have."""
    run(own, images, tmp_path / "kept", job(types=BOTH))
    ANEW[what](own, images)
    before = len(seen)
    run(own, images, tmp_path / "kept", job(types=BOTH))
    assert len(seen) == 2 * before
    run(own, images, tmp_path / "fresh", job(types=BOTH))
    assert bytes_of(tmp_path / "kept") == bytes_of(tmp_path / "fresh")


def test_all_is_measured_anew_by_other_code_and_on_fewer_images(own, small_images, tmp_path, seen):
    run(own, small_images, tmp_path)
    first = len(seen)
    other = {"roots": ["interference.probes.measure"], "digest": "another"}
    run(own, small_images, tmp_path, job(code=other))
    assert len(seen) == 2 * first
    for name in ATTACKS:
        write_attack(own / f"{name}.json", name, images=IMAGES - 1)
    run(own, small_images, tmp_path, job(images=IMAGES - 1))
    assert len(seen) == 3 * first


def test_saes_of_one_type_that_were_trained_anew_are_measured_alone(
    own, small_images, tmp_path, seen
):
    run(own, small_images, tmp_path / "kept", job(types=BOTH))
    before = len(seen)
    saes = {1.0: identity(WIDTHS["stem"]), 4.0: sparse(WIDTHS["stem"], seed=7)}
    write_sweep(own / "stem" / "topk.json", "stem", "topk", saes)
    run(own, small_images, tmp_path / "kept", job(types=BOTH))
    assert len(seen) - before == len(saes)
    run(own, small_images, tmp_path / "fresh", job(types=BOTH))
    assert bytes_of(tmp_path / "kept") == bytes_of(tmp_path / "fresh")


# what is refused


def test_an_attack_that_cannot_be_read_leaves_nothing(own, small_images, tmp_path):
    (shard,) = (path for path in (own / "noise.zarr" / "c").rglob("*") if path.is_file())
    damaged = bytearray(shard.read_bytes())
    damaged[10] ^= 1
    shard.write_bytes(damaged)
    with pytest.raises(StoreError, match=r"noise\.zarr is damaged.*remove it and run snakemake"):
        run(own, small_images, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_attacks_and_saes_in_another_order_than_the_specs_are_refused(
    inputs_folder, small_images, tmp_path
):
    spec = job(types=BOTH)
    given = inputs(inputs_folder, small_images, spec)
    for name, message in (("attacks", "attack is noise, .* about pgd"), ("saes", "type is relu")):
        other = {**given, name: given[name][::-1]}
        with pytest.raises(StoreError, match=message):
            measure.run(spec, **other, output=tmp_path / "l0.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "field", "value"),
    [
        ("m.json", "model", {**MODEL, "model_seed": 1}),
        ("pgd.json", "model", {**MODEL, "model_seed": 1}),
        ("pgd.json", "attack", "fgsm"),
        ("noise.json", "images", 8),
        ("stem/rows.json", "model", {**MODEL, "model_seed": 1}),
        ("stem/rows.json", "layer", "layer1"),
        ("stem/topk.json", "model", {**MODEL, "model_seed": 1}),
        ("stem/topk.json", "layer", "layer1"),
        ("stem/topk.json", "type", "relu_l1"),
        ("stem/topk.json", "type", None),
    ],
)
def test_an_input_of_another_network_layer_attack_or_type_is_refused(
    file, field, value, own, small_images, tmp_path
):
    manifest = json.loads((own / file).read_text())
    manifest["spec"][field] = value
    write_json(own / file, manifest)
    with pytest.raises(StoreError, match=rf"{file}: {field} is .*, the job is about"):
        run(own, small_images, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("name", "count"), [("attacks", 1), ("saes", 0), ("saes", 3)])
def test_as_many_inputs_as_the_spec_names_are_needed(
    name, count, inputs_folder, small_images, tmp_path
):
    spec = job(types=BOTH)
    given = inputs(inputs_folder, small_images, spec)
    given[name] = (given[name] * 2)[:count]
    with pytest.raises(StoreError, match=rf"--{name}: found {count} manifests, needs one for each"):
        measure.run(spec, **given, output=tmp_path / "l0.parquet")
    assert list(tmp_path.iterdir()) == []
