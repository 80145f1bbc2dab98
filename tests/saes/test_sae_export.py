"""SAEs leave as SAELens's files: the library itself loads them and computes the same."""

import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors import safe_open
from typer.testing import CliRunner

from interference.cli import main
from interference.saes.dictionary import Dictionary, stack, unstack
from interference.saes.export import CONFIG, WEIGHTS, export, fold
from interference.saes.fit import run as fit
from interference.saes.member import Member
from interference.saes.types import topk
from interference.store.files import read_json, sha256, write_json
from interference.store.tensors import read_described, read_tensors, write_tensors
from tests.support import REPO, sweeps

pytestmark = pytest.mark.xdist_group("saelens")  # whose process starts once, in one worker

#: The Python that has SAELens: `make peers`.
PEERS = Path(os.environ.get("INTERFERENCE_PEERS", REPO / ".venv-peers" / "bin" / "python"))
ARCHITECTURES = {
    "relu_l1": "standard",
    "topk": "topk",
    "batch_topk": "jumprelu",
    "matryoshka": "jumprelu",
    "jumprelu": "jumprelu",
    "gated": "jumprelu",
}
EVERY = pytest.mark.parametrize("name", ARCHITECTURES)
MEMBERS = 4  # two sparsities and two seeds
ROWS = 600


def write_sweep(manifest, dictionaries, sparsities, name="jumprelu"):
    """SAEs by hand, as `fit` writes them."""
    spec = sweeps.spec(name)
    write_tensors(manifest.with_suffix(".safetensors"), stack(dictionaries), spec)
    members = [{"sparsity": float(s), "sae_seed": 0} for s in sparsities]
    digest = sha256(manifest.with_suffix(".safetensors"))
    write_json(manifest, {"spec": spec, "sha256": digest, "members": members})
    return manifest


def write_statistics(rows, mean, std):
    """Statistics beside the manifest of rows, as `extract` writes them."""
    content = read_json(rows)
    write_tensors(rows.with_suffix(".safetensors"), {"mean": mean, "std": std}, content["spec"])
    write_json(rows, content | {"sha256": sha256(rows.with_suffix(".safetensors"))})


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A manifest a type, that of the rows, held-out rows and the layer's mean and deviation."""
    folder, rng = tmp_path_factory.mktemp("trained"), np.random.default_rng(3)
    x = rng.standard_normal((ROWS, sweeps.D)).astype(np.float32)
    rows = sweeps.write_rows(folder / "rows.json", heldout=x.reshape(-1, 2, sweeps.D))
    mean, std = rng.uniform(0, 2, sweeps.D), rng.uniform(0.2, 2, sweeps.D)
    write_statistics(rows, mean, std)
    manifests = {name: folder / f"{name}.json" for name in ARCHITECTURES}
    for name, manifest in manifests.items():
        fit(sweeps.spec(name), rows, manifest)
    return SimpleNamespace(manifests=manifests, rows=rows, x=x, mean=mean, std=std)


def integers():
    """SAEs whose pre-activations are whole numbers, some of them thresholds."""
    directions = np.concatenate([np.eye(3), -np.eye(3)]).astype(np.float32)
    arrays = directions, np.zeros(6, np.float32), directions, np.zeros(3, np.float32)
    thresholds = np.array([0, 1, 2, 3, 0, 1], np.float32)
    return [Dictionary(*arrays, threshold=thresholds), Dictionary(*arrays)]


def member_in_training():
    rng = np.random.default_rng(5)
    member = Member(
        topk, topk.Settings(k=[3], aux_k=8, aux_weight=0.0, dead_after=100), 3, sweeps.D, 20, seed=0
    )
    for name, p in member.parameters.items():
        member.parameters[name] = p.astype(np.float64) + 0.3 * rng.standard_normal(p.shape)
    return member, rng.standard_normal((50, sweeps.D))


@pytest.fixture(scope="module")
def saelens(trained, tmp_path_factory):
    """Where SAELens has read all that there is to read, in one process: it takes long to import."""
    if not PEERS.exists():
        missing = f"{PEERS} is missing: make peers"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    folder = tmp_path_factory.mktemp("saelens")
    for manifest in trained.manifests.values():
        export(manifest, folder / "standardised", None, None, None)
        export(manifest, folder / "raw", None, None, trained.rows)
    export(write_sweep(folder / "sae.json", integers(), [0, 1]), folder / "whole", None, None, None)
    raw = (trained.x * trained.std + trained.mean).astype(np.float32)
    whole = np.indices((9, 9, 9)).reshape(3, -1).T.astype(np.float32) - 4
    for kind, x in {"standardised": trained.x, "raw": raw, "whole": whole}.items():
        np.save(folder / kind / "rows.npy", x)
    member, x = member_in_training()
    names = {"W_dec": "w_dec", "b_enc": "b_enc", "b_dec": "b_dec"}
    given = {theirs: member.parameters[ours] for theirs, ours in names.items()}
    w_enc = np.ascontiguousarray(member.parameters["w_enc"].T)
    np.savez(folder / "topk.npz", W_enc=w_enc, **given, x=x, k=member.sparsity)
    environment = {n: v for n, v in os.environ.items() if not n.startswith("PYTHON")}
    done = subprocess.run(
        [PEERS, REPO / "tests" / "support" / "in_saelens.py", folder],
        env=environment | {"HF_HUB_OFFLINE": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def results(saelens, kind, name):
    found = {path.stem: path for path in saelens.glob(f"{kind}/stem-{name}-*.npz")}
    return {stem: np.load(path) for stem, path in sorted(found.items())}


def decided(dictionary, x, margin):
    """Rows (n,) whose active latents are no matter of rounding: none within a margin of its bar."""
    pre = x.astype(np.float64) @ dictionary.w_enc.T.astype(np.float64) + dictionary.b_enc
    bar = np.broadcast_to(dictionary.threshold, pre.shape)
    if dictionary.k and not dictionary.pooled:
        largest = -np.sort(-np.maximum(pre, 0), axis=1)
        bar = largest[:, dictionary.k - 1 : dictionary.k + 1].mean(1, keepdims=True)
    return (np.abs(pre - bar) > margin).all(1)


@EVERY
def test_saelens_finds_the_same_latents_and_reconstruction(name, trained, saelens):
    arrays, fitted = read_described(trained.manifests[name])
    found = results(saelens, "standardised", name)
    assert len(found) == MEMBERS == len(fitted["members"])
    for member, dictionary in zip(fitted["members"], unstack(arrays), strict=True):
        theirs = found[f"stem-{name}-{member['sparsity']:g}-s{member['sae_seed']}"]
        assert theirs["architecture"] == ARCHITECTURES[name]
        assert theirs["name"] == f"sae_m_stem_{2 * sweeps.D}"
        ours = dictionary.encode(trained.x)
        sure = decided(dictionary, trained.x, 1e-5)
        assert sure.mean() > 0.97
        np.testing.assert_array_equal(theirs["latents"][sure] > 0, ours[sure] > 0)
        np.testing.assert_allclose(theirs["latents"][sure], ours[sure], atol=1e-5)
        expected = dictionary.decode(ours)
        np.testing.assert_allclose(theirs["reconstruction"][sure], expected[sure], atol=1e-5)
        # and so what the manifest says holds of the exported SAE, on the same held-out rows
        error = (theirs["reconstruction"].astype(np.float64) - trained.x) ** 2
        fvu = error.sum() / ((trained.x - trained.x.mean(0, dtype=np.float64)) ** 2).sum()
        assert fvu == pytest.approx(member["fvu"], rel=1e-4)
        assert (theirs["latents"] > 0).sum(1).mean() == pytest.approx(member["l0"], rel=1e-3)


@EVERY
def test_with_statistics_it_takes_and_gives_raw_activations(name, trained, saelens):
    arrays, fitted = read_described(trained.manifests[name])
    found = results(saelens, "raw", name)
    assert len(found) == MEMBERS
    for member, dictionary in zip(fitted["members"], unstack(arrays), strict=True):
        theirs = found[f"stem-{name}-{member['sparsity']:g}-s{member['sae_seed']}"]
        ours = dictionary.encode(trained.x)
        sure = decided(dictionary, trained.x, 1e-4)
        assert sure.mean() > 0.9
        np.testing.assert_array_equal(theirs["latents"][sure] > 0, ours[sure] > 0)
        np.testing.assert_allclose(theirs["latents"][sure], ours[sure], atol=1e-4)
        expected = dictionary.decode(ours) * trained.std + trained.mean
        np.testing.assert_allclose(theirs["reconstruction"][sure], expected[sure], atol=1e-4)


def test_both_drop_a_latent_that_equals_its_threshold(saelens):
    x = np.load(saelens / "whole" / "rows.npy")
    found = results(saelens, "whole", "jumprelu")
    for theirs, dictionary in zip(found.values(), integers(), strict=True):
        pre, thresholds = x @ dictionary.w_enc.T, np.broadcast_to(dictionary.threshold, 6)
        assert all((pre[:, i] == thresholds[i]).any() for i in range(6))
        np.testing.assert_array_equal(theirs["latents"], np.where(pre > thresholds, pre, 0))
        np.testing.assert_array_equal(theirs["latents"], dictionary.encode(x))
    assert [str(theirs["architecture"]) for theirs in found.values()] == ["jumprelu", "standard"]


def test_topk_gradients_without_dead_latents_are_those_of_saelens(saelens):
    # Both losses are Σ_dims (x − x̂)², mean over rows: the factor between them is 1.
    member, x = member_in_training()
    ours, theirs = sweeps.compiled_gradients(member, x), np.load(saelens / "gradients.npz")
    for name in ("w_enc", "b_enc", "w_dec", "b_dec"):
        expected = theirs[name.replace("w", "W")]
        expected = expected.T if name == "w_enc" else expected
        assert np.abs(expected).max() > 0.01
        np.testing.assert_allclose(ours[name], expected, rtol=1e-9, atol=1e-12)


# What is written, which needs no SAELens


def test_types_that_need_thresholds_have_some(trained):
    for name, architecture in ARCHITECTURES.items():
        arrays, _ = read_described(trained.manifests[name])
        # TopK's is for threshold inference, which is not what it is scored with
        assert arrays["threshold"].any() == (architecture != "standard")


@EVERY
def test_folded_statistics_change_no_latent(name, trained):
    dictionaries = unstack(read_described(trained.manifests[name])[0])
    raw = trained.x * trained.std + trained.mean
    for dictionary in dictionaries:
        folded = fold(dictionary, trained.mean, trained.std)
        assert (folded.k, folded.pooled) == (dictionary.k, dictionary.pooled)
        pre = raw @ folded.w_enc.T.astype(np.float64) + folded.b_enc
        expected = trained.x @ dictionary.w_enc.T + dictionary.b_enc
        np.testing.assert_allclose(pre, expected, atol=1e-5)
        code = dictionary.encode(trained.x)
        expected = dictionary.decode(code) * trained.std + trained.mean
        np.testing.assert_allclose(folded.decode(code), expected, atol=1e-5)


@pytest.mark.parametrize("raw", [False, True])
def test_a_folder_says_what_it_holds(raw, trained, tmp_path):
    rows = trained.rows if raw else None
    (folder,) = export(trained.manifests["topk"], tmp_path / "out", 4, 1, rows)
    assert folder == tmp_path / "out" / "stem-topk-4-s1"
    assert {path.name for path in folder.iterdir()} == {CONFIG, WEIGHTS}
    config, fitted = read_json(folder / CONFIG), read_json(trained.manifests["topk"])
    metadata = config.pop("metadata")
    assert config == {
        "architecture": "topk", "k": 4, "d_in": 8, "d_sae": 16, "dtype": "float32",
        "device": "cpu", "apply_b_dec_to_input": False, "normalize_activations": "none",
        "reshape_activations": "none", "rescale_acts_by_decoder_norm": False,
    }  # fmt: skip
    assert metadata["spec"] == fitted["spec"]
    assert metadata["member"] == fitted["members"][3]
    assert metadata["sae_sha256"] == fitted["sha256"]
    assert (metadata["model_name"], metadata["hook_name"]) == ("m", "stem")
    assert metadata["input"] == ("raw activations" if raw else "standardised activations")
    assert metadata["statistics_sha256"] == (read_json(rows)["sha256"] if raw else None)
    weights, spec = read_tensors(folder / WEIGHTS)
    assert spec == fitted["spec"]
    shapes = {name: array.shape for name, array in weights.items()}
    assert shapes == {"W_enc": (8, 16), "b_enc": (16,), "W_dec": (16, 8), "b_dec": (8,)}
    assert {array.dtype for array in weights.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ("sparsity", "seed", "expected"),
    [
        (None, None, ["0.1-s0", "0.1-s1", "0.4-s0", "0.4-s1"]),
        (0.4, None, ["0.4-s0", "0.4-s1"]),
        (None, 0, ["0.1-s0", "0.4-s0"]),
        (0.1, 1, ["0.1-s1"]),
    ],
)
def test_a_sparsity_and_a_seed_pick_members(sparsity, seed, expected, trained, tmp_path):
    made = export(trained.manifests["relu_l1"], tmp_path, sparsity, seed, None)
    assert sorted(path.name for path in made) == [f"stem-relu_l1-{name}" for name in expected]
    assert sorted(tmp_path.iterdir()) == sorted(made)


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_again_it_writes_the_same_bytes_and_leaves_neighbours(trained, tmp_path):
    export(trained.manifests["gated"], tmp_path, None, None, None)
    export(trained.manifests["topk"], tmp_path, None, None, trained.rows)
    before = contents(tmp_path)
    assert len(before) == 2 * 2 * MEMBERS
    export(trained.manifests["gated"], tmp_path, None, None, None)
    export(trained.manifests["topk"], tmp_path, None, None, trained.rows)
    assert contents(tmp_path) == before


def other_export(trained, folder):
    export(trained.manifests["topk"], folder.parent, 4, 1, trained.rows)


def more_than_an_export(trained, folder):
    export(trained.manifests["topk"], folder.parent, 4, 1, None)
    (folder / "sparsity.safetensors").touch()


def a_config_of_something_else(trained, folder):
    folder.mkdir()
    (folder / CONFIG).write_text("not JSON")
    (folder / WEIGHTS).touch()


def a_file(trained, folder):
    folder.touch()


def run(*arguments, monkeypatch, capsys):
    """The message of a command that must fail."""
    monkeypatch.setattr("sys.argv", ["interference", "saes", "export", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main.main()
    assert end.value.code == 1
    return capsys.readouterr().err


@pytest.mark.parametrize(
    "place", [other_export, more_than_an_export, a_config_of_something_else, a_file]
)
def test_a_folder_that_holds_something_else_is_left_alone(
    place, trained, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "stem-topk-4-s1"
    place(trained, folder)
    before = contents(tmp_path)
    message = run(trained.manifests["topk"], tmp_path, monkeypatch=monkeypatch, capsys=capsys)
    assert f"{folder} holds something else" in message
    assert contents(tmp_path) == before  # other members, which had room, were not written either


def test_an_output_that_is_a_file_is_refused(trained, tmp_path, monkeypatch, capsys):
    (tmp_path / "out").touch()
    message = run(
        trained.manifests["topk"], tmp_path / "out", monkeypatch=monkeypatch, capsys=capsys
    )
    assert "is no folder" in message


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--sparsity", 3, "sparsity: 3 is not in the sweep, which has 2, 4"),
        ("--seed", 7, "seed: 7 is not in the sweep, which has 0, 1"),
    ],
)
def test_an_unknown_member_is_answered_with_those_that_are_there(
    option, value, message, trained, tmp_path, monkeypatch, capsys
):
    arguments = (trained.manifests["topk"], tmp_path / "out", option, value)
    assert message in run(*arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert not (tmp_path / "out").exists()


def of_another(key, value):
    def change(trained, folder):
        rows = sweeps.write_rows(folder / "rows.json")
        content = read_json(rows)
        write_json(rows, content | {"spec": content["spec"] | {key: value}})
        write_statistics(rows, trained.mean, trained.std)
        return trained.manifests["topk"], rows

    return change


@pytest.mark.parametrize(
    ("pick", "message"),
    [
        (lambda t, _: (t.rows, None), "rows.json is not the manifest of trained SAEs"),
        (
            lambda t, _: (t.manifests["topk"].with_suffix(".safetensors"), None),
            "topk.safetensors is not the manifest of trained SAEs",
        ),
        (
            lambda t, _: (t.manifests["topk"], t.manifests["topk"]),
            "topk.json is not the manifest of a layer's rows",
        ),
        (lambda t, folder: (folder / "no.json", None), "no.json is missing"),
        (of_another("layer", "layer2"), "rows.json: layer is layer2, that of the SAEs is stem"),
        (of_another("model", {"model": "n"}), "rows.json: model is {'model': 'n'}"),
    ],
    ids=["rows", "weights", "saes as rows", "missing", "layer", "model"],
)
def test_a_wrong_manifest_is_named(pick, message, trained, tmp_path, monkeypatch, capsys):
    manifest, rows = pick(trained, tmp_path)
    arguments = (manifest, tmp_path / "out", *(("--rows", rows) if rows else ()))
    assert message in run(*arguments, monkeypatch=monkeypatch, capsys=capsys)
    assert not (tmp_path / "out").exists()


def test_weights_that_are_not_the_manifests_are_refused(tmp_path, monkeypatch, capsys):
    manifest = write_sweep(tmp_path / "sae.json", integers(), [0, 1])
    other = write_sweep(tmp_path / "other.json", integers()[::-1], [0, 1])
    other.with_suffix(".safetensors").rename(manifest.with_suffix(".safetensors"))
    message = run(manifest, tmp_path / "out", monkeypatch=monkeypatch, capsys=capsys)
    assert "is not what sae.json describes" in message


def test_the_command_prints_the_folders(trained, tmp_path):
    arguments = [trained.manifests["topk"], tmp_path, "--seed", 0, "--rows", trained.rows]
    done = CliRunner().invoke(main.app, ["saes", "export", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    assert done.output.split() == [str(tmp_path / f"stem-topk-{k}-s0") for k in (2, 4)]


# Our own files


def test_a_sweeps_own_file_has_the_spec_inside(trained):
    for name, manifest in trained.manifests.items():
        with safe_open(manifest.with_suffix(".safetensors"), framework="numpy") as file:
            assert json.loads(file.metadata()["spec"]) == sweeps.spec(name)
