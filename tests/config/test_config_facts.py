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
def network(stem, channels=1):
    return Network(
        architecture="resnet18",
        stem=stem,
        channels=channels,
        classes=2,
        mean=[0.5] * channels,
        std=[0.25] * channels,
    ).eval()


@pytest.mark.parametrize("stem", ["imagenet", "small"])
@pytest.mark.parametrize("size", [8, 28, 33, 46])
def test_positions_and_widths_are_those_of_the_network(stem, size):
    net, x = network(stem), torch.rand(1, 1, size, size)
    predicted = facts.positions(size, stem)
    for layer, width in facts.ARCHITECTURES["resnet18"].items():
        with torch.inference_mode():
            assert net.activations(x, layer).shape == (1, predicted[layer], width)


def test_positions_at_imagenets_size_are_the_ones_of_the_paper():
    assert list(facts.positions(224, "imagenet").values()) == [3136, 3136, 784, 196, 49]


@pytest.mark.parametrize("architecture", facts.ARCHITECTURES)
def test_operations_of_a_pass_are_those_that_torch_counts(architecture):
    network = Network(
        architecture=architecture,
        stem="imagenet",
        channels=3,
        classes=1000,
        mean=[0.5] * 3,
        std=[0.2] * 3,
    )
    counted = {}
    with torch.device("meta"):
        x = torch.rand(1, 3, 224, 224)
    network.to("meta").eval()
    for layer in [*facts.ARCHITECTURES[architecture], "logits"]:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(x) if layer == "logits" else network.activations(x, layer)
        counted[layer] = counter.get_total_flops()
    assert facts.FLOPS[architecture] == counted


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
