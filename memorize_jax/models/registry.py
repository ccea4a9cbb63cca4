"""Name -> network and its ordered layers."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from memorize_jax.models import alexnet, masc, mlp, resnet, vgg
from memorize_jax.models.initializers import check_init
from memorize_jax.models.layers import Layer


class Entry(NamedTuple):
    """One kind of network.

    Attributes:
      constructor: (num_classes, ...) -> module.
      layers: analysed layers in order.
      smallest_image: least height and width of its inputs; None if they need not be images.
      has_dropout: whether the paper's table has dropout.
      stackable: dense layers alone; convolutions of several networks at once are slow.
    """

    constructor: Callable[..., nn.Module]
    layers: tuple[Layer, ...]
    smallest_image: int | None = None
    has_dropout: bool = False
    stackable: bool = False


MODELS = {
    "mlp": Entry(mlp.MLP, mlp.LAYERS, stackable=True),
    "alexnet": Entry(alexnet.AlexNet, alexnet.LAYERS, alexnet.SMALLEST_IMAGE),
    "vgg16": Entry(vgg.VGG16, vgg.LAYERS, vgg.SMALLEST_IMAGE, has_dropout=True),
    "resnet18": Entry(resnet.ResNet18, resnet.LAYERS, 1),
    "resnet18_tiny": Entry(functools.partial(resnet.ResNet18, large_images=True), resnet.LAYERS_TINY, 1),
    "masc_mlp": Entry(masc.MascMLP, masc.MLP_LAYERS),
    "masc_cnn": Entry(masc.MascCNN, masc.CNN_LAYERS, masc.CNN_SMALLEST_IMAGE),
}


def check_name(name: str) -> None:
    """Raises ValueError, naming the valid ones, unless `name` is a model."""
    if name not in MODELS:
        raise ValueError(f"expected model to be one of {', '.join(sorted(MODELS))}, got {name!r}")


def check_dropout(name: str, dropout: float | None) -> None:
    """Raises ValueError unless the rate is None, or in [0, 1) for a model that has dropout."""
    if dropout is not None and not 0 <= dropout < 1:
        raise ValueError(f"expected dropout >= 0 and < 1, got {dropout}")
    if dropout and not MODELS[name].has_dropout:
        raise ValueError(f"expected no dropout for model {name}, which has none in the paper, got {dropout}")


def can_be_stacked(name: str) -> bool:
    """Tells whether several networks of a kind may be one vmapped program: dense ones without dropout."""
    return MODELS[name].stackable


def check_input(name: str, shape: tuple[int, ...]) -> None:
    """Checks that a network can take inputs of a shape.

    Args:
      name: one of `MODELS`.
      shape: of one example.

    Raises:
      ValueError: the model takes images and these are none, or too small.
    """
    check_name(name)
    smallest = MODELS[name].smallest_image
    if smallest is None:
        return
    if len(shape) != 3:
        raise ValueError(f"expected images [height, width, channels] for model {name}, got examples of shape {shape}")
    if min(shape[:2]) < smallest:
        raise ValueError(f"expected images of at least {smallest} x {smallest} for model {name}, got {shape}")


def create(
    name: str,
    *,
    num_classes: int,
    width: int | None = None,
    dtype=jnp.float32,
    init: str = "lecun",
    dropout: float | None = None,
    axis_name: str | None = None,
) -> nn.Module:
    """Makes a network.

    Args:
      name: one of `MODELS`.
      num_classes: outputs.
      width: the model's width; None for the paper's.
      dtype: of the computation; parameters are float32 or wider.
      init: how parameters start, one of `initializers.INITS`; by default as Flax does.
      dropout: rate; None for the paper's.
      axis_name: of the devices that share a batch, when training under `pmap`.

    Returns:
      A flax.linen module with `init(key, x, train=False)` and `apply(variables, x, train=False, mask=None)`.

    Raises:
      ValueError: unknown name or initialisation, a width below 1, dropout for a model without.
    """
    check_name(name)
    check_init(init)
    check_dropout(name, dropout)
    if width is not None and width < 1:
        raise ValueError(f"expected width >= 1, got {width}")
    options = {"dtype": jnp.dtype(dtype), "initialization": init, "axis_name": axis_name}
    if width is not None:
        options["width"] = width
    if dropout is not None and MODELS[name].has_dropout:
        options["dropout"] = dropout
    return MODELS[name].constructor(num_classes=num_classes, **options)


def layers(name: str) -> tuple[Layer, ...]:
    """Lists the analysed layers of a network in order.

    Args:
      name: one of `MODELS`.

    Returns:
      Layers: name, the number in the paper's table, what is tapped.
    """
    check_name(name)
    return MODELS[name].layers


def layer_names(name: str) -> tuple[str, ...]:
    """Lists the names of `layers`, under which activations are sown and parameters stored."""
    return tuple(layer.name for layer in layers(name))
