"""The same networks in PyTorch, as a rival to time; imported only where PyTorch is installed."""

import itertools

import torch
from torch import nn

from memorize_jax.models import vgg


class Residual(nn.Module):
    """Two 3 x 3 convolutions with a shortcut."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(*conv_norm(before, after, stride), nn.ReLU(), *conv_norm(after, after, 1))
        self.shortcut = nn.Identity()
        if stride > 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x):
        """[n, before, h, w] to [n, after, h / stride, w / stride]."""
        return torch.relu(self.body(x) + self.shortcut(x))


def conv_norm(before: int, after: int, stride: int) -> list:
    """A 3 x 3 convolution and BatchNorm."""
    return [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)]


def mlp(width: int, shape) -> nn.Module:
    """Table 1."""
    sizes = [shape[0] * shape[1] * shape[2], *[width] * 5]
    hidden = [part for pair in itertools.pairwise(sizes) for part in (nn.Linear(*pair), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(width, 100))


def alexnet(width: int, shape) -> nn.Module:
    """Table 2."""
    # Features in units of the width, kernel, stride, whether pooling follows.
    convolutions = ((1, 11, 4, True), (3, 5, 1, True), (6, 3, 1, False), (4, 3, 1, False), (16, 3, 1, True))
    parts, before = [], shape[-1]
    for multiple, size, stride, is_pooled in convolutions:
        parts += [nn.Conv2d(before, multiple * width, size, stride, size // 2), nn.ReLU()]
        parts += [nn.MaxPool2d(2)] * is_pooled
        before = multiple * width
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(before, 100))


def vgg16(width: int, shape) -> nn.Module:
    """Table 3."""
    parts, before = [], shape[-1]
    for number, multiple in vgg.CONVS.items():
        parts += [*conv_norm(before, multiple * width, 1), nn.ReLU()]
        before = multiple * width
        if number + 1 not in vgg.CONVS:
            parts.append(nn.MaxPool2d(2))
    linear = [nn.Linear(before, 64 * width), nn.ReLU(), nn.Dropout(0.5)]
    linear += [nn.Linear(64 * width, 64 * width), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64 * width, 100)]
    return nn.Sequential(*parts, nn.Flatten(), *linear)


def resnet18(width: int, shape) -> nn.Module:
    """Table 4."""
    parts, before = [*conv_norm(shape[-1], width, 1), nn.ReLU()], width
    for stage in range(4):
        for block in range(2):
            after = width * 2**stage
            parts.append(Residual(before, after, 2 if stage and not block else 1))
            before = after
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 100))


NETWORKS = {"mlp": mlp, "alexnet": alexnet, "vgg16": vgg16, "resnet18": resnet18}


def step_of(model: str, width: int, batch_size: int, shape: tuple[int, ...], dtype: str):
    """Makes a call that does one compiled training step, on images [height, width, channels], and waits for it."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = dtype != "float32"
    network = NETWORKS[model](width, shape).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    images = torch.randn(batch_size, shape[2], *shape[:2], device=device).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 100, (batch_size,), device=device)
    loss_of = nn.CrossEntropyLoss()
    forward = torch.compile(network)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16"):
            loss = loss_of(forward(images).float(), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
