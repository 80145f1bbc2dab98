"""What an architecture is to the rest: how it is built, and where the hooks are.

The five hooks of every architecture are `stem` and `layer1` to `layer4`. Of a ResNet they are the
activations after its max-pool and after its four stages, all post-ReLU. Of others they are what lies
at the same place: after the first convolutions, and where each resolution ends. DenseNet's are not
post-ReLU but for the last, since its ReLU stands before a convolution; nor are MobileNet's and
MnasNet's, whose bottlenecks end in a linear layer.
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
    """build: classes → the network; stages: its modules that lead to each hook from the one before;
    head: the rest, from the last hook's activations (n, channels, height, width) to logits."""

    build: Callable[[int], nn.Module]
    stages: Callable[[nn.Module], Sequence[nn.Module]]
    head: Callable[[nn.Module, Tensor], Tensor]


def _torchvision(name: str, classes: int) -> nn.Module:
    # no pretrained weights: MnasNet and DenseNet start as their papers say, others by torchvision
    return torchvision.models.get_model(name, num_classes=classes)


def _wide_resnet50_4(classes: int) -> nn.Module:
    """Four times as wide as ResNet-50 within its blocks (Salman et al. 2020)."""
    resnet = torchvision.models.resnet
    return resnet.ResNet(resnet.Bottleneck, [3, 4, 6, 3], num_classes=classes, width_per_group=256)


def _slices(layers: nn.Sequential, *ends: int) -> list[nn.Module]:
    return [layers[start:end] for start, end in zip((0, *ends), ends)]


def _resnet_stages(net: nn.Module) -> list[nn.Module]:
    stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool)
    return [stem, net.layer1, net.layer2, net.layer3, net.layer4]


def _densenet_stages(net: nn.Module) -> list[nn.Module]:
    f = net.features
    return [
        nn.Sequential(f.conv0, f.norm0, f.relu0, f.pool0),
        f.denseblock1,
        nn.Sequential(f.transition1, f.denseblock2),
        nn.Sequential(f.transition2, f.denseblock3),
        nn.Sequential(f.transition3, f.denseblock4, f.norm5, nn.ReLU()),
    ]


def _shufflenet_stages(net: nn.Module) -> list[nn.Module]:
    return [nn.Sequential(net.conv1, net.maxpool), net.stage2, net.stage3, net.stage4, net.conv5]


def _pooled(classifier: str, net: nn.Module, x: Tensor) -> Tensor:
    return getattr(net, classifier)(adaptive_avg_pool2d(x, 1).flatten(1))


def _vgg_head(net: nn.Module, x: Tensor) -> Tensor:
    return net.classifier(net.avgpool(x).flatten(1))


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
        lambda net: _slices(net.layers, 8, 9, 10, 12, 17),
        partial(_pooled, "classifier"),
    ),
    "mobilenet_v2": Architecture(
        partial(_torchvision, "mobilenet_v2"),
        lambda net: _slices(net.features, 2, 4, 7, 14, 19),
        partial(_pooled, "classifier"),
    ),
    "shufflenet_v2_x1_0": Architecture(
        partial(_torchvision, "shufflenet_v2_x1_0"), _shufflenet_stages, partial(_pooled, "fc")
    ),
    "vgg16_bn": Architecture(
        partial(_torchvision, "vgg16_bn"),
        lambda net: _slices(net.features, 7, 14, 24, 34, 44),
        _vgg_head,
    ),
}
