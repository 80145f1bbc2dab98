"""The network against torchvision's own module, hooked from outside."""

from functools import cache

import pytest
import torch
import torchvision

from interference.models.network import Network

LAYERS = ("stem", "layer1", "layer2", "layer3", "layer4")
MEAN, STD = [0.2, 0.5, 0.7], [0.1, 0.3, 0.4]


@cache
def network(stem, channels, width=None):
    torch.manual_seed(0)
    net = Network(
        architecture="resnet18",
        stem=stem,
        channels=channels,
        classes=7,
        mean=MEAN[:channels],
        std=STD[:channels],
        width=width,
    )
    with torch.no_grad():  # BatchNorm statistics that are not those of a fresh network
        for _ in range(4):
            net.train()(torch.rand(8, channels, 20, 20))
    return net.eval()


@cache
def torchvision_twin(stem, channels):
    """Torchvision's ResNet-18 with the weights of `network`, built without our code."""
    twin = torchvision.models.resnet18(num_classes=7)
    if stem in ("small", "strided"):
        stride = {"small": 1, "strided": 2}[stem]
        twin.conv1 = torch.nn.Conv2d(channels, 64, 3, stride=stride, padding=1, bias=False)
        twin.maxpool = torch.nn.Identity()
    elif channels == 1:
        twin.conv1 = torch.nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    weights = network(stem, channels).state_dict()
    twin.load_state_dict(
        {k.removeprefix("body."): v for k, v in weights.items() if k.startswith("body.")}
    )
    return twin.eval()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("stem", ["imagenet", "strided", "small"])
def test_the_normaliser_is_inside_and_the_rest_is_torchvisions(stem, channels):
    net = network(stem, channels)
    twin = torchvision_twin(stem, channels)
    x = torch.rand(2, channels, 20, 20)
    mean = torch.tensor(MEAN[:channels])[:, None, None]
    std = torch.tensor(STD[:channels])[:, None, None]
    with torch.inference_mode():
        torch.testing.assert_close(net(x), twin((x - mean) / std))
        assert (net(x) - twin(x)).abs().max() > 0.01


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("stem", ["imagenet", "strided", "small"])
@pytest.mark.parametrize("layer", LAYERS)
def test_activations_are_what_a_hook_sees_in_a_whole_forward_pass(layer, stem, channels):
    net = network(stem, channels)
    twin = torchvision_twin(stem, channels)
    seen, handles = {}, []
    for name in LAYERS:
        module = twin.maxpool if name == "stem" else getattr(twin, name)
        keep = lambda _, __, out, name=name: seen.update({name: out.clone()})  # noqa: E731
        handles.append(module.register_forward_hook(keep))
    x = torch.rand(2, channels, 20, 20)
    with torch.inference_mode():
        twin((x - net.mean) / net.std)
        found = net.activations(x, layer)
    for handle in handles:
        handle.remove()
    expected = seen[layer].permute(0, 2, 3, 1).flatten(1, 2)  # row by row of the image
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert found.min() >= 0
    assert (found > 0).float().mean() > 0.1


@pytest.mark.parametrize("layer", LAYERS)
def test_nothing_beyond_the_hook_is_computed(layer):
    net, called = network("imagenet", 1), []
    handles = [
        getattr(net.body, name).register_forward_pre_hook(lambda *_, n=name: called.append(n))
        for name in (*LAYERS[1:], "avgpool", "fc")
    ]
    with torch.inference_mode():
        net.activations(torch.rand(1, 1, 16, 16), layer)
    for handle in handles:
        handle.remove()
    assert called == list(LAYERS[1 : LAYERS.index(layer) + 1])


@pytest.mark.parametrize("size", [9, 20])  # layer4: one position, and several
@pytest.mark.parametrize("stem", ["imagenet", "strided", "small"])
@pytest.mark.parametrize("layer", LAYERS)
def test_the_forward_pass_goes_on_from_a_hook_as_if_it_had_not_stopped(layer, stem, size):
    net, x = network(stem, 1), torch.rand(2, 1, size, size)
    with torch.inference_mode():
        activations = net.activations(x, layer)
        assert torch.equal(net.from_layer(activations, layer), net(x))
        changed = net.from_layer(activations.flip(1) + 1, layer)
        assert (changed - net(x)).abs().max() > 1e-3


@pytest.mark.parametrize("layers", [["layer3", "stem"], ["layer4", "layer1", "layer2"], LAYERS])
def test_hooks_seen_in_one_pass_say_to_the_bit_what_each_says_alone(layers):
    net, x = network("imagenet", 1), torch.rand(2, 1, 20, 20)
    with torch.inference_mode():
        found = list(net.hooks(x, layers))
        assert [layer for layer, _ in found] == sorted(layers, key=LAYERS.index)
        for layer, values in found:  # after the pass: no later module wrote into them
            assert torch.equal(values, net.activations(x, layer))


def test_an_unknown_hook_is_an_error():
    with pytest.raises(KeyError, match="layer5"):
        network("imagenet", 1).activations(torch.rand(1, 1, 16, 16), "layer5")
    with pytest.raises(KeyError, match="layer5"):
        network("imagenet", 1).from_layer(torch.rand(1, 16, 64), "layer5")


class Narrow(torchvision.models.ResNet):
    """Torchvision's ResNet, with every count of channels divided by four."""

    def _make_layer(self, block, planes, blocks, stride=1, dilate=False):
        if planes == 64:
            self.inplanes = 16
        return super()._make_layer(block, planes // 4, blocks, stride, dilate)


@pytest.mark.parametrize(
    ("architecture", "block", "depths"),
    [
        ("resnet18", torchvision.models.resnet.BasicBlock, [2, 2, 2, 2]),
        ("resnet50", torchvision.models.resnet.Bottleneck, [3, 4, 6, 3]),
    ],
)
def test_a_narrow_network_is_torchvisions_with_fewer_channels(architecture, block, depths):
    torch.manual_seed(0)
    net = Network(
        architecture=architecture,
        stem="imagenet",
        channels=3,
        classes=7,
        mean=[0.0] * 3,
        std=[1.0] * 3,
        width=16,
    ).eval()
    twin = Narrow(block, depths, num_classes=7)
    twin.conv1 = torch.nn.Conv2d(3, 16, 7, stride=2, padding=3, bias=False)
    twin.bn1 = torch.nn.BatchNorm2d(16)
    twin.fc = torch.nn.Linear(twin.inplanes, 7)
    for name, weight in twin.named_parameters():
        ours = net.body.get_parameter(name)
        assert ours.shape == weight.shape, name
        if (
            weight.ndim == 4 and name != "conv1.weight"
        ):  # as torchvision starts: He's normal, fan out
            assert ours.std().item() == pytest.approx((2 / weight[:, 0].numel()) ** 0.5, rel=0.2), (
                name
            )
    twin.load_state_dict(net.body.state_dict())
    x = torch.rand(2, 3, 40, 40)
    with torch.inference_mode():
        torch.testing.assert_close(net(x), twin.eval()(x))


def test_the_width_of_an_architecture_as_it_is_can_be_named():
    assert {n: p.shape for n, p in network("small", 1, 64).named_parameters()} == {
        n: p.shape for n, p in network("small", 1).named_parameters()
    }
