"""The architectures: how each is built, and where its hooks are.

The five hooks of every architecture are `stem` and `layer1` to `layer4`. Of a ResNet they are the
activations after its max-pool and after its four stages, all post-ReLU. Of others they are the
corresponding places: after the first convolutions, and where each resolution ends. Of DenseNet only
the last is post-ReLU, since its ReLU stands before a convolution; of MobileNet and MnasNet, whose
bottlenecks end in a linear layer, none is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from interference.models.vision import torchvision

HOOKS = ("stem", "layer1", "layer2", "layer3", "layer4")


@dataclass(frozen=True)
class Architecture:
    """How a network is built and looked into.

    build: number of classes → the network, with random weights.
    stages: network → five modules, each from one hook (the first: from pixels) to the next.
    head: network, activations of the last hook (n, channels, height, width) → logits (n, classes).
    """

    build: Callable[[int], nn.Module]
    stages: Callable[[nn.Module], Sequence[nn.Module]]
    head: Callable[[nn.Module, Tensor], Tensor]


def _resized(name: str, width: int, classes: int) -> nn.Module:
    """A ResNet whose stem has ``width`` channels, and all that follows in proportion."""
    net = torchvision.models.get_model(name, num_classes=classes)
    net.inplanes = width
    net.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
    net.bn1 = nn.BatchNorm2d(width)
    for place, layer in enumerate(HOOKS[1:]):
        blocks = net.get_submodule(layer)
        planes, stride = width * 2**place, 2 if place else 1
        setattr(net, layer, net._make_layer(type(blocks[0]), planes, len(blocks), stride))
    net.fc = nn.Linear(net.inplanes, classes)
    for module in net.modules():  # as torchvision starts its own
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return net


def _torchvision(name: str, classes: int) -> nn.Module:
    # no pretrained weights: MnasNet and DenseNet start as their papers say, others by torchvision
    return torchvision.models.get_model(name, num_classes=classes)


def _wide_resnet50_4(classes: int) -> nn.Module:
    """Four times as wide as ResNet-50 within its blocks (Salman et al. 2020)."""
    resnet = torchvision.models.resnet
    return resnet.ResNet(resnet.Bottleneck, [3, 4, 6, 3], num_classes=classes, width_per_group=256)


def _chain(net: nn.Module, *names: str) -> nn.Sequential:
    """Return the named submodules of ``net``, one after another."""
    return nn.Sequential(*map(net.get_submodule, names))


def _slices(name: str, ends: tuple[int, ...], net: nn.Module) -> list[nn.Module]:
    """Cut the named sequence of a network's layers into stages. ends: of each stage, a count."""
    layers = net.get_submodule(name)
    assert isinstance(layers, nn.Sequential)
    return [layers[start:end] for start, end in zip((0, *ends), ends)]


def _resnet_stages(net: nn.Module) -> list[nn.Module]:
    stem = _chain(net, "conv1", "bn1", "relu", "maxpool")
    return [stem, *(net.get_submodule(name) for name in HOOKS[1:])]


def _densenet_stages(net: nn.Module) -> list[nn.Module]:
    features = net.get_submodule("features")
    return [
        _chain(features, "conv0", "norm0", "relu0", "pool0"),
        _chain(features, "denseblock1"),
        _chain(features, "transition1", "denseblock2"),
        _chain(features, "transition2", "denseblock3"),
        _chain(features, "transition3", "denseblock4", "norm5").append(nn.ReLU()),
    ]


def _shufflenet_stages(net: nn.Module) -> list[nn.Module]:
    stem = _chain(net, "conv1", "maxpool")
    return [stem, *(net.get_submodule(name) for name in ("stage2", "stage3", "stage4", "conv5"))]


def _pooled(classifier: str, net: nn.Module, x: Tensor) -> Tensor:
    return net.get_submodule(classifier)(adaptive_avg_pool2d(x, 1).flatten(1))


def _vgg_head(net: nn.Module, x: Tensor) -> Tensor:
    return net.get_submodule("classifier")(net.get_submodule("avgpool")(x).flatten(1))


def _resnet(build: Callable[[int], nn.Module]) -> Architecture:
    return Architecture(build, _resnet_stages, partial(_pooled, "fc"))


ARCHITECTURES = {
    **{
        name: _resnet(partial(_torchvision, name))
        for name in ("resnet18", "resnet50", "wide_resnet50_2", "resnext50_32x4d")
    },
    "wide_resnet50_4": _resnet(_wide_resnet50_4),
    "densenet161": Architecture(
        partial(_torchvision, "densenet161"), _densenet_stages, partial(_pooled, "classifier")
    ),
    "mnasnet1_0": Architecture(
        partial(_torchvision, "mnasnet1_0"),
        partial(_slices, "layers", (8, 9, 10, 12, 17)),
        partial(_pooled, "classifier"),
    ),
    "mobilenet_v2": Architecture(
        partial(_torchvision, "mobilenet_v2"),
        partial(_slices, "features", (2, 4, 7, 14, 19)),
        partial(_pooled, "classifier"),
    ),
    "shufflenet_v2_x1_0": Architecture(
        partial(_torchvision, "shufflenet_v2_x1_0"), _shufflenet_stages, partial(_pooled, "fc")
    ),
    "vgg16_bn": Architecture(
        partial(_torchvision, "vgg16_bn"),
        partial(_slices, "features", (7, 14, 24, 34, 44)),
        _vgg_head,
    ),
}


def build(name: str, classes: int, width: int | None) -> nn.Module:
    """Build an architecture with random weights; width: channels of its stem, None for its own."""
    return ARCHITECTURES[name].build(classes) if width is None else _resized(name, width, classes)
