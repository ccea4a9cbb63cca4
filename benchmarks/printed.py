"""Sizes of the paper's networks, counted from the layers that its appendix A.10 prints; knows nothing of our networks."""

from collections.abc import Iterable
from typing import NamedTuple


class Convolution(NamedTuple):
    """A convolution with batch normalization and without bias: channels, sides of the kernel and of the map it makes."""

    inputs: int
    outputs: int
    kernel: int
    side: int


def count(convolutions: Iterable[Convolution], linears: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Number of parameters, and of multiply-adds for one image, of a network.

    Args:
      convolutions: each has k^2 inputs outputs weights, applied at side^2 places, and a scale and an offset a channel.
      linears: (inputs, outputs) of each, with biases.
    """
    weights = [(own.kernel**2 * own.inputs * own.outputs, own) for own in convolutions]
    parameters = sum(number + 2 * own.outputs for number, own in weights)
    multiply_adds = sum(number * own.side**2 for number, own in weights)
    linears = list(linears)
    parameters += sum((inputs + 1) * outputs for inputs, outputs in linears)
    return parameters, multiply_adds + sum(inputs * outputs for inputs, outputs in linears)


def vgg16() -> tuple[int, int]:
    """Of VGG16 on CIFAR-100."""
    stages = ((64, 2, 32), (128, 2, 16), (256, 3, 8), (512, 3, 4), (512, 3, 2))
    sizes = [(outputs, side) for outputs, number, side in stages for _ in range(number)]
    inputs = [3, *(outputs for outputs, _ in sizes)]
    pairs = zip(inputs, sizes, strict=False)
    convolutions = [Convolution(before, outputs, 3, side) for before, (outputs, side) in pairs]
    return count(convolutions, [(512, 4096), (4096, 4096), (4096, 100)])


def resnet18() -> tuple[int, int]:
    """Of ResNet18 on CIFAR-100: in each stage but the first, a 1 x 1 convolution on the skip connection."""
    convolutions = [Convolution(3, 64, 3, 32)]
    before = 64
    for outputs, side in ((64, 32), (128, 16), (256, 8), (512, 4)):
        convolutions += [Convolution(before, outputs, 3, side), *[Convolution(outputs, outputs, 3, side)] * 3]
        if outputs != before:
            convolutions.append(Convolution(before, outputs, 1, side))
        before = outputs
    return count(convolutions, [(512, 100)])
