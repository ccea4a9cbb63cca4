"""The networks of tables 1 to 4 in PyTorch, in float64, with the parameters of a stored epoch; no flax."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

# Layers after which the maximum over 2 x 2 places is taken.
POOLED = {"alexnet": ("conv1", "conv3", "conv7"), "vgg16": ("conv2", "conv5", "conv9", "conv13", "conv17")}
STRIDES = {("alexnet", "conv1"): 4}
NETWORKS = ("mlp", *POOLED, "resnet18")
# Table 4: both convolutions of a block and, where it halves the image, the 1 x 1 convolution beside them.
BLOCKS = ((2, 3), (4, 5), (6, 7, 8), (9, 10), (11, 12, 13), (14, 15), (16, 17, 18), (19, 20))
EPSILON = 1e-5


def parameters(variables: Mapping) -> dict[str, dict[str, torch.Tensor]]:
    """Layer -> its arrays as float64 tensors, kernels turned round to PyTorch's order, BatchNorm's beside them."""
    found = {}
    for name, arrays in variables["params"].items():
        own = found.setdefault(name.removesuffix("_bn"), {})
        for part, array in arrays.items():
            value = torch.tensor(np.asarray(array, np.float64))
            if part == "kernel":
                value = value.permute(3, 2, 0, 1) if value.ndim == 4 else value.T
            own[f"bn_{part}" if name.endswith("_bn") else part] = value.contiguous()
    for name, arrays in variables.get("batch_stats", {}).items():
        found[name.removesuffix("_bn")] |= {part: torch.tensor(np.asarray(a, np.float64)) for part, a in arrays.items()}
    return found


class Scale(NamedTuple):
    """Mean and standard deviation of every channel over the training set; a deviation of 0 counts as 1."""

    mean: np.ndarray
    deviation: np.ndarray


def scale_of(train_images: np.ndarray) -> Scale:
    """The scale of training images [n, height, width, channels]."""
    whole = train_images.reshape(-1, train_images.shape[-1]).astype(np.float64)
    deviation = whole.std(axis=0)
    return Scale(whole.mean(axis=0), np.where(deviation > 0, deviation, 1))


def scaled(images: np.ndarray, scale: Scale) -> torch.Tensor:
    """Images [n, height, width, channels] with mean 0 and deviation 1 of every channel over the training set."""
    return torch.tensor((images.astype(np.float64) - scale.mean) / scale.deviation)


def layers_of(
    model: str, own: Mapping[str, Mapping[str, torch.Tensor]], images: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Every layer of the network for images [n, height, width, channels]: after ReLU, the last one before softmax."""
    value, shown = images if model == "mlp" else images.permute(0, 3, 1, 2), {}
    if model == "resnet18":
        return _residual(own, value)
    names = sorted(own, key=lambda name: int(name.lstrip("convliear")))
    for name in names:
        layer = own[name]
        if name.startswith("conv"):
            value = _convolved(layer, value, STRIDES.get((model, name), 1))
        else:
            value = functional.linear(value.flatten(1), layer["kernel"], layer["bias"])
        if name != names[-1]:
            value = torch.relu(value)
        shown[name] = value
        if name in POOLED.get(model, ()):
            value = functional.max_pool2d(value, 2)
    return shown


def _convolved(layer: Mapping[str, torch.Tensor], value: torch.Tensor, stride: int = 1) -> torch.Tensor:
    kernel = layer["kernel"]
    value = functional.conv2d(value, kernel, layer.get("bias"), stride, padding=kernel.shape[-1] // 2)
    if "mean" not in layer:
        return value
    statistics = layer["mean"], layer["var"], layer["bn_scale"], layer["bn_bias"]
    return functional.batch_norm(value, *statistics, training=False, eps=EPSILON)


def _residual(own: Mapping[str, Mapping[str, torch.Tensor]], images: torch.Tensor) -> dict[str, torch.Tensor]:
    """The layers of ResNet18 that the paper shows: without the convolutions beside a block."""
    value = torch.relu(_convolved(own["conv1"], images))
    shown = {"conv1": value}
    for first, second, *beside in BLOCKS:
        stride = 2 if beside else 1
        shown[f"conv{first}"] = torch.relu(_convolved(own[f"conv{first}"], value, stride))
        added = _convolved(own[f"conv{second}"], shown[f"conv{first}"])
        for skip in beside:
            value = _convolved(own[f"conv{skip}"], value, stride)
        shown[f"conv{second}"] = value = torch.relu(added + value)
    return shown | {
        "linear22": functional.linear(value.mean((2, 3)), own["linear22"]["kernel"], own["linear22"]["bias"])
    }


def together(model: str, layer: str) -> list[str]:
    """The layer, and the convolution beside its block that is added to it, which is rewound with it."""
    beside = {f"conv{second}": f"conv{skip}" for _, second, *skips in BLOCKS for skip in skips}
    return [layer, beside[layer]] if model == "resnet18" and layer in beside else [layer]


def predictions(model: str, own, images: np.ndarray, scale: Scale, *, at_a_time: int = 1000) -> np.ndarray:
    """The class of highest logit of every image."""
    found = []
    with torch.no_grad():
        for start in range(0, len(images), at_a_time):
            shown = layers_of(model, own, scaled(images[start : start + at_a_time], scale))
            found.append(list(shown.values())[-1].argmax(1).numpy())
    return np.concatenate(found)
