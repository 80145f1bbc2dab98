"""Every architecture: hooks lie where they are said to, the rest follows from them, facts are facts."""

import pytest
import torch

from interference.config import facts
from interference.config.zoo import CHECKPOINTS
from interference.models.architectures import ARCHITECTURES, HOOKS
from interference.models.network import Network

pytestmark = pytest.mark.xdist_group("architectures")

torch.set_num_threads(1)
#: Sides that halve evenly, and that do not.
SIZES = (64, 97)
STEM_OF_A_RELU = ("resnet", "wide_resnet", "resnext", "vgg")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def network(request) -> Network:
    torch.manual_seed(0)
    return Network(
        architecture=request.param,
        stem="imagenet",
        channels=3,
        classes=7,
        mean=[0.4, 0.5, 0.6],
        std=[0.2, 0.3, 0.4],
    ).eval()


@pytest.fixture(scope="module")
def passed(network) -> tuple[torch.Tensor, torch.Tensor]:
    """Images, and what the network makes of them."""
    x = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        return x, network(x)


@pytest.fixture
def name(network) -> str:
    return next(n for n, a in ARCHITECTURES.items() if a is network._architecture)


@pytest.mark.parametrize("size", SIZES)
def test_hooks_have_the_channels_and_positions_that_a_plan_counts_on(size, network, name):
    x = torch.rand(1, 3, size, size)
    predicted = facts.positions(size, "imagenet", name)
    with torch.inference_mode():
        for layer, values in network.hooks(x, HOOKS):
            width = facts.ARCHITECTURES[name][layer]
            assert values.shape == (1, predicted[layer], width), layer


@pytest.mark.parametrize("layer", HOOKS)
def test_the_rest_of_the_pass_follows_from_a_layers_activations(layer, network, passed):
    x, expected = passed
    with torch.inference_mode():
        found = network.from_layer(network.activations(x, layer), layer)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_activations_are_not_negative_where_a_relu_ends_the_stage(network, name, passed):
    x, _ = passed
    with torch.inference_mode():
        found = {layer: bool((v < 0).any()) for layer, v in network.hooks(x, HOOKS)}
    if name.startswith(STEM_OF_A_RELU):
        assert not any(found.values())
    elif name in ("mobilenet_v2", "mnasnet1_0"):
        assert {layer for layer, negative in found.items() if negative} >= {"layer1", "layer2"}
        assert not found["layer4"]


def test_parameters_without_the_last_layer_are_counted_exactly(network, name):
    last = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
    counted = sum(p.numel() for p in network.parameters())
    assert facts.PARAMETERS[name] == counted - sum(p.numel() for p in last.parameters())


def test_tables_of_facts_speak_of_the_same_architectures_and_hooks():
    assert facts.ARCHITECTURES.keys() == ARCHITECTURES.keys()
    assert facts.PARAMETERS.keys() == facts.FLOPS.keys() == ARCHITECTURES.keys()
    for hooks in facts.ARCHITECTURES.values():
        assert tuple(hooks) == HOOKS


def test_every_checkpoint_of_the_hub_is_of_a_known_architecture_and_named_by_its_radius():
    assert len(CHECKPOINTS) == 4 * 10 + 3 * 5 + 6 * 2
    for name, checkpoint in CHECKPOINTS.items():
        assert checkpoint.architecture in ARCHITECTURES
        assert checkpoint.file == f"{name}.ckpt"
        _, norm, radius = name.rsplit("_", 2)
        epsilon = float(radius.removeprefix("eps")) / (255 if norm == "linf" else 1)
        assert checkpoint.epsilon == epsilon
        assert checkpoint.norm == (norm if epsilon else "clean")
        assert 0.4 < checkpoint.clean_accuracy < 0.8
    assert {c.architecture for c in CHECKPOINTS.values()} == ARCHITECTURES.keys()


def test_accuracies_are_those_that_the_authors_tabled():
    resnet18 = [c.clean_accuracy for n, c in CHECKPOINTS.items() if n.startswith("resnet18_")]
    assert resnet18 == [
        0.6979, 0.6990, 0.6924, 0.6915, 0.6877, 0.6743, 0.6549, 0.6232, 0.5312, 0.4559,
        0.6613, 0.6346, 0.5963, 0.5249, 0.4211,
    ]  # fmt: skip
    assert CHECKPOINTS["resnet18_linf_eps4.0"].autoattack == 0.2532
    assert CHECKPOINTS["densenet_l2_eps3"].clean_accuracy == 0.6698
