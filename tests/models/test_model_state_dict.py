"""State dicts of one's own: under every name that training leaves, and of every other kind."""

import re

import pytest
import torch
from safetensors.torch import save_file

from interference.models.architectures import ARCHITECTURES
from interference.models.convert import run as convert
from interference.models.hub import CheckpointError
from interference.models.vision import torchvision
from tests.support.checkpoints import body, converted, logits, narrow_resnet18, own

torch.set_num_threads(1)
RESNET18 = ARCHITECTURES["resnet18"]


@pytest.fixture(scope="module", autouse=True)
def network():
    with narrow_resnet18():
        yield body()


@pytest.fixture(scope="module")
def x():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def prefixed(state, *prefixes):
    return {f"{prefix}{key}": value for prefix in prefixes for key, value in state.items()}


def cast(state, dtype):
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in state.items()}


FORMS = {
    "alone": lambda state: state,
    "under state_dict": lambda state: {"epoch": 3, "state_dict": state},
    "under model": lambda state: {"model": state, "best": 0.5},
    "under model, beside a tensor": lambda state: {"model": state, "accuracy": torch.tensor(0.7)},
    "under a name of one's own": lambda state: {"generator": {"note": "none"}, "student": state},
    "in two dicts": lambda state: {"model": {"state_dict": state, "epoch": 3}},
    "beside an optimizer": lambda state: {
        "optimizer": {"state": {0: {"momentum_buffer": torch.zeros(3)}}},
        "model": state,
    },
    "of DataParallel": lambda state: prefixed(state, "module."),
    "compiled": lambda state: prefixed(state, "_orig_mod."),
    "compiled in DataParallel": lambda state: prefixed(state, "module._orig_mod."),
    "of Lightning": lambda state: {"state_dict": prefixed(state, "model."), "epoch": 3},
    "of a module of one's own": lambda state: prefixed(state, "trainer.my_net."),
    "the second of a Sequential": lambda state: prefixed(state, "1."),
    "some submodules compiled": lambda state: {
        k.replace("layer1.0.", "layer1._orig_mod.0.").replace("fc.", "fc._orig_mod."): v
        for k, v in prefixed(state, "net.").items()
    },
    "a submodule in DataParallel": lambda state: {
        k.replace("layer3.", "layer3.module."): v for k, v in state.items()
    },
}


def weights_of(network):
    return {k.removeprefix("body."): v for k, v in network.state_dict().items() if "body." in k}


def assert_equal(found, expected):
    assert list(found) == list(expected)
    assert all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.mark.parametrize("form", FORMS)
def test_a_state_dict_of_ones_own_gives_the_network(form, network, x, tmp_path):
    path = tmp_path / "mine.pt"
    torch.save(FORMS[form](network.state_dict()), path)
    ours = converted(own(path), tmp_path)
    assert_equal(weights_of(ours), network.state_dict())
    expected = logits(network, [0.4, 0.5, 0.6], [0.2, 0.3, 0.4], x)
    torch.testing.assert_close(ours(x), expected)


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn], ids=str
)
def test_weights_of_another_type_become_float32(dtype, network, tmp_path):
    path = tmp_path / "mine.pt"
    state = cast(network.state_dict(), dtype)
    torch.save(state, path)
    assert_equal(weights_of(converted(own(path), tmp_path)), cast(state, torch.float32))


@pytest.mark.parametrize("name", ["mine.safetensors", "mine.pt"])
def test_safetensors_are_read_under_any_name(name, network, tmp_path):
    save_file(network.state_dict(), tmp_path / name)
    ours = converted(own(tmp_path / name), tmp_path)
    assert_equal(weights_of(ours), network.state_dict())


def test_a_torch_file_is_read_under_the_name_of_safetensors(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "mine.safetensors")
    ours = converted(own(tmp_path / "mine.safetensors"), tmp_path)
    assert_equal(weights_of(ours), network.state_dict())


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("compiled in DataParallel", "the network under `module._orig_mod.` is taken"),
        ("of Lightning", "the network of its entry `state_dict` under `model.` is taken"),
        ("in two dicts", "the network of its entry `model.state_dict` is taken"),
        ("some submodules compiled", "names are read without the wrappers inside them (_orig_mod"),
    ],
)
def test_the_log_says_where_the_network_was(form, said, network, tmp_path, capsys):
    path = tmp_path / "mine.pt"
    torch.save(FORMS[form](network.state_dict()), path)
    convert(own(path), tmp_path / "out.json")
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("average", ["ema", "state_dict_ema", "model_ema"])
def test_a_model_goes_before_its_average_and_the_log_says_so(average, network, tmp_path, capsys):
    path = tmp_path / "mine.pt"
    torch.save({average: body(seed=1).state_dict(), "model": network.state_dict()}, path)
    ours = converted(own(path), tmp_path)
    assert_equal(weights_of(ours), network.state_dict())
    assert f"holds one under {average} too, which is not looked at" in capsys.readouterr().err


def test_an_average_alone_is_taken(network, tmp_path):
    path = tmp_path / "mine.pt"
    torch.save({"epoch": 3, "ema": prefixed(network.state_dict(), "module.")}, path)
    assert_equal(weights_of(converted(own(path), tmp_path)), network.state_dict())


def test_names_of_an_older_densenet_are_read(tmp_path):
    network = body("densenet161")
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", key): value
        for key, value in network.state_dict().items()
    }
    assert old.keys() != network.state_dict().keys()
    path = tmp_path / "mine.pt"
    torch.save(old, path)
    ours = converted(own(path, architecture="densenet161"), tmp_path)
    assert_equal(weights_of(ours), network.state_dict())


COUNTER = "num_batches_tracked"


@pytest.mark.parametrize(("prefix", "left"), [("", 0), ("", 7), ("module.", 0)])
def test_counters_that_are_not_there_are_zeros(prefix, left, network, x, tmp_path, capsys):
    path = tmp_path / "mine.pt"
    state = network.state_dict()
    for key in [key for key in state if key.endswith(COUNTER)][left:]:
        del state[key]
    torch.save(prefixed(state, prefix), path)
    ours = converted(own(path), tmp_path)
    assert f"is without {20 - left} of the network's {COUNTER}" in capsys.readouterr().err
    found = weights_of(ours)
    assert all(torch.equal(found[k], state.get(k, torch.zeros(()).long())) for k in found)
    expected = logits(network, [0.4, 0.5, 0.6], [0.2, 0.3, 0.4], x)
    torch.testing.assert_close(ours(x), expected)


def test_a_counter_beyond_the_range_of_halves_is_no_damage(network, tmp_path):
    state = {key: value.half() for key, value in network.state_dict().items()}
    state[f"bn1.{COUNTER}"] = torch.tensor(torch.inf).half()
    torch.save(state, tmp_path / "mine.pt")
    assert weights_of(converted(own(tmp_path / "mine.pt"), tmp_path))[f"bn1.{COUNTER}"] == 0


def test_no_other_buffer_may_be_missing(network, tmp_path):
    state = network.state_dict()
    del state["bn1.running_mean"], state[f"bn1.{COUNTER}"]
    torch.save(state, tmp_path / "mine.pt")
    with pytest.raises(CheckpointError, match=r"is no resnet18: it lacks bn1\.running_mean;"):
        convert(own(tmp_path / "mine.pt"), tmp_path / "out.json")


BESIDE = {
    "a loss": (
        lambda s: {**prefixed(s, "model."), "criterion.weight": torch.ones(10)},
        ["holds the resnet18 under `model.`, and beside it criterion.weight; save it alone: ",
         "torch.save({k.removeprefix('model.'): v for k, v in state.items() if "
         "k.startswith('model.')}, FILE)"],
    ),
    "a loss beside no prefix": (
        lambda s: {**s, "criterion.weight": torch.ones(10)},
        ["holds the resnet18 under no prefix, and beside it criterion.weight; save it alone: "
         "torch.save(model.state_dict(), FILE)"],
    ),
    "within one module": (
        lambda s: {**prefixed(s, "module.model."), "module.criterion.weight": torch.ones(10)},
        ["under `module.model.`, and beside it module.criterion.weight"],
    ),
    "an average": (
        lambda s: prefixed(s, "model.", "model_ema.module."),
        ["holds a resnet18 2 times, under `model.` and under `model_ema.module.`",
         "save the one that you mean alone"],
    ),
    "an average beside no prefix": (
        lambda s: prefixed(s, "", "ema."),
        ["holds a resnet18 2 times, under no prefix and under `ema.`"],
    ),
    "averaging's own counter": (
        lambda s: {**prefixed(s, "module."), "n_averaged": torch.tensor(3)},
        ["under `module.`, and beside it n_averaged"],
    ),
    "no tensors": (
        lambda s: {**s, "epoch": 3, "optimizer": {"lr": 0.1}},
        ["holds the resnet18 under no prefix, and beside it epoch, optimizer"],
    ),
    "compiled inside": (
        lambda s: {**prefixed(s, "net._orig_mod."), "head.weight": torch.ones(2)},
        ["holds the resnet18 under `net._orig_mod.`, and beside it head.weight"],
    ),
    "in a dict": (
        lambda s: {"model": {**prefixed(s, "net."), "loss.weight": torch.ones(2)}},
        ["holds the resnet18 of its entry `model` under `net.`, and beside it loss.weight"],
    ),
    "a normaliser": (
        lambda s: {
            **prefixed(s, "1."),
            "0.mean": torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1),
            "0.std": torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1),
        },
        ["its normaliser (mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]) belongs in "
         "models.networks.resnet18_l2_eps3.mean and .std"],
    ),
    "MadryLab's model": (
        lambda s: {
            **prefixed(s, "module.model.", "module.attacker.model."),
            "module.normalizer.new_mean": torch.full((3, 1, 1), 0.5),
        },
        ["under `module.model.` and under `module.attacker.model.`",
         "its normaliser (mean: [0.5, 0.5, 0.5]) belongs in"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BESIDE)
def test_what_stands_beside_a_network_is_named_with_the_mend(case, network, tmp_path):
    make, said = BESIDE[case]
    torch.save(make(network.state_dict()), tmp_path / "mine.pt")
    with pytest.raises(CheckpointError) as refused:
        convert(own(tmp_path / "mine.pt"), tmp_path / "out.json")
    for words in said:
        assert words in str(refused.value)


@pytest.mark.parametrize("architecture", [n for n in ARCHITECTURES if n != "resnet18"])
def test_another_architecture_is_told_by_its_name(architecture, tmp_path):
    with torch.device("meta"):
        state = ARCHITECTURES[architecture].build(7).state_dict()
    state = {k: v for k, v in state.items() if not k.endswith(COUNTER)}
    torch.save({"model": prefixed(state, "module.")}, tmp_path / "mine.pt")
    with pytest.raises(CheckpointError) as refused:
        convert(own(tmp_path / "mine.pt"), tmp_path / "out.json")
    assert str(refused.value).endswith(
        f"it is a {architecture}: write architecture: {architecture}"
    )


def test_an_architecture_that_holds_this_one_is_not_taken_for_it(tmp_path, monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "resnet18", RESNET18)  # of the same shapes
    torch.save(torchvision.models.resnet34(num_classes=10).state_dict(), tmp_path / "mine.pt")
    with pytest.raises(CheckpointError) as refused:
        convert(own(tmp_path / "mine.pt"), tmp_path / "out.json")
    assert "is no resnet18: it holds layer1.2.bn1.bias" in str(refused.value)
    assert "no architecture fits it that can be named here (resnet18, " in str(refused.value)


def test_a_small_stem_is_told(network, tmp_path):
    state = network.state_dict() | {"conv1.weight": torch.zeros(16, 3, 3, 3)}
    torch.save(state, tmp_path / "mine.pt")
    with pytest.raises(CheckpointError, match=r"conv1\.weight is \(16, 3, 3, 3\).*not ImageNet's"):
        convert(own(tmp_path / "mine.pt"), tmp_path / "out.json")


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"model": prefixed(s, "net.")}])
def test_other_classes_than_the_files_are_told(wrap, network, tmp_path):
    path = tmp_path / "mine.pt"
    torch.save(wrap(network.state_dict()), path)
    with pytest.raises(
        CheckpointError,
        match=r"fc.weight is \(10, 128\), should be \(7, 128\): its classes are 10; write classes: 10 "
        r"in models\.networks\.resnet18_l2_eps3$",
    ):
        convert(own(path, classes=7), tmp_path / "out.json")


PACKED = {
    "bytes": lambda w: w.to(torch.int8),
    "complex": lambda w: w.to(torch.complex64),
    "sparse": lambda w: w.to_sparse(),
    "empty": lambda w: w.to("meta"),
}


@pytest.mark.parametrize("kind", PACKED)
def test_weights_that_are_no_plain_floats_are_refused(kind, network, tmp_path):
    state = network.state_dict()
    state["fc.weight"] = PACKED[kind](state["fc.weight"])
    torch.save(state, tmp_path / "mine.pt")
    with pytest.raises(CheckpointError, match=r"fc\.weight is torch\..* no plain floats"):
        convert(own(tmp_path / "mine.pt"), tmp_path / "out.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": {"fc.weight": [1, 2]}}, "holds fc.weight that are no tensors"),
        ({"model": {"state_dict": {"fc.weight": [1, 2]}}}, "holds fc.weight that are no tensors"),
        ({}, "holds no state dict"),
        ([1, 2], "holds no state dict"),
        ({"fc.weight": [1, 2], "fc.bias": torch.zeros(10)}, "is no resnet18: it lacks bn1.bias"),
        ({"backbone.conv1.weight": torch.zeros(1)}, "is no resnet18: it lacks bn1.bias"),
    ],
)
def test_a_file_that_is_no_state_dict_is_refused(content, message, tmp_path):
    path = tmp_path / "mine.pt"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=message):
        convert(own(path), tmp_path / "out.json")


def test_a_dict_that_holds_itself_is_no_state_dict(tmp_path):
    content = {"weight": torch.zeros(1)}
    content["model"] = content
    torch.save(content, tmp_path / "mine.pt")
    with pytest.raises(CheckpointError, match="is no resnet18"):
        convert(own(tmp_path / "mine.pt"), tmp_path / "out.json")
