"""What a config implies: positions, widths and operations of a pass, densities, names of epsilons."""

import copy
from functools import cache

import numpy as np
import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from interference.activations import forward
from interference.config import facts
from interference.config.load import check_config
from interference.config.model import epsilon_name
from interference.models.network import Network
from tests.support import REPO

TINY = yaml.safe_load((REPO / "tests" / "experiments" / "tiny.yaml").read_text())


@cache
def network(stem, channels=1, width=None):
    return Network(
        architecture="resnet18",
        stem=stem,
        channels=channels,
        classes=2,
        mean=[0.5] * channels,
        std=[0.25] * channels,
        width=width,
    ).eval()


@pytest.mark.parametrize("width", [None, 12])
@pytest.mark.parametrize("stem", ["imagenet", "strided", "small"])
@pytest.mark.parametrize("size", [8, 28, 33, 46])
def test_positions_and_channels_are_those_of_the_network(stem, size, width):
    net, x = network(stem, width=width), torch.rand(1, 1, size, size)
    predicted = facts.positions(size, stem)
    for layer, channels in facts.channels("resnet18", width).items():
        with torch.inference_mode():
            assert net.activations(x, layer).shape == (1, predicted[layer], channels)


def test_positions_at_imagenets_size_are_the_ones_of_the_paper():
    assert list(facts.positions(224, "imagenet").values()) == [3136, 3136, 784, 196, 49]


def counted(architecture, *, size, classes, stem="imagenet", width=None):
    """Operations up to each hook and to the logits, by torch's counter."""
    network = Network(
        architecture=architecture,
        stem=stem,
        channels=3,
        classes=classes,
        mean=[0.5] * 3,
        std=[0.2] * 3,
        width=width,
    )
    counts = {}
    with torch.device("meta"):
        x = torch.rand(1, 3, size, size)
    network.to("meta").eval()
    for layer in [*facts.ARCHITECTURES[architecture], "logits"]:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(x) if layer == "logits" else network.activations(x, layer)
        counts[layer] = counter.get_total_flops()
    return counts


@pytest.mark.parametrize("architecture", facts.ARCHITECTURES)
def test_operations_of_a_pass_are_those_that_torch_counts(architecture):
    assert facts.FLOPS[architecture] == counted(architecture, size=224, classes=1000)
    same = facts.operations(architecture, None, "imagenet", 224)
    assert same == facts.FLOPS[architecture]


@pytest.mark.parametrize("architecture", facts.RESIZABLE)
@pytest.mark.parametrize(
    ("width", "stem", "tolerance"),
    [(32, "imagenet", 0.001), (16, "strided", 0.001), (128, "small", 0.001)],
)
def test_operations_of_other_widths_and_stems_are_near_those_that_torch_counts(
    architecture, width, stem, tolerance
):
    found = facts.operations(architecture, width, stem, 64)["logits"]
    true = counted(architecture, size=64, classes=10, width=width, stem=stem)["logits"]
    assert found == pytest.approx(true, rel=tolerance)


@pytest.mark.parametrize("architecture", facts.RESIZABLE)
def test_parameters_of_other_widths_are_near_the_true_number(architecture):
    net = Network(
        architecture=architecture,
        stem="imagenet",
        channels=3,
        classes=2,
        mean=[0.5] * 3,
        std=[0.2] * 3,
        width=16,
    )
    true = sum(p.numel() for n, p in net.body.named_parameters() if not n.startswith("fc."))
    assert facts.parameters(architecture, 16) == pytest.approx(true, rel=0.1)
    assert facts.parameters(architecture, None) == facts.PARAMETERS[architecture]


@pytest.mark.parametrize(("high", "low", "count"), [(1.0, 0.1, 30), (0.9, 0.05, 7), (1.0, 0.5, 2)])
def test_densities_are_geometric(high, low, count):
    values = copy.deepcopy(TINY)
    values["toy"]["densities"] = {"max": high, "min": low, "count": count}
    densities = check_config(values).toy.densities.values
    np.testing.assert_allclose(densities, np.geomspace(high, low, count), atol=5.1e-7)
    assert len(set(densities)) == count


def test_a_small_density_is_never_rounded_to_zero():
    values = copy.deepcopy(TINY)
    values["toy"]["densities"] = {"max": 1.0, "min": 1e-8, "count": 3}
    densities = check_config(values).toy.densities.values
    np.testing.assert_allclose(densities, [1, 1e-4, 1e-8], rtol=1e-4)


@pytest.mark.parametrize(
    ("epsilon", "name"), [(1, "1"), (0.5, "0.5"), (8 / 255, repr(8 / 255)), (10.0, "10")]
)
def test_an_epsilon_is_written_as_the_shortest_decimal_that_is_the_same_number(epsilon, name):
    assert epsilon_name(epsilon) == name
    assert float(name) == epsilon


def test_a_plan_and_extraction_share_images_in_the_same_blocks():
    assert facts.BLOCK == forward.BLOCK
