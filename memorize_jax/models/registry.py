"""Name -> network and its ordered layers."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from memorize_jax import plugins
from memorize_jax.models import alexnet, masc, mlp, mnist1d, resnet, vgg
from memorize_jax.models.initializers import check_init
from memorize_jax.models.layers import Layer


class Entry(NamedTuple):
    """One kind of network.

    Attributes:
      constructor: takes the keywords num_classes, dtype, initialization and axis_name, where they are given also width
        and dropout; see `network.Network`.
      layers: analyzed layers in order; the last one is the logits.
      smallest_image: least height and width of its inputs; None if they need not be images.
      has_dropout: whether the paper's table has dropout.
      stackable: dense layers alone; convolutions of several networks at once are slow.
      shortest_sequence: least length of its inputs, sequences [length] of numbers; None if they need not be sequences.
    """

    constructor: Callable[..., nn.Module]
    layers: tuple[Layer, ...]
    smallest_image: int | None = None
    has_dropout: bool = False
    stackable: bool = False
    shortest_sequence: int | None = None


MODELS = {
    "mlp": Entry(mlp.MLP, mlp.LAYERS, stackable=True),
    "alexnet": Entry(alexnet.AlexNet, alexnet.LAYERS, alexnet.SMALLEST_IMAGE),
    "vgg16": Entry(vgg.VGG16, vgg.LAYERS, vgg.SMALLEST_IMAGE, has_dropout=True),
    "resnet18": Entry(resnet.ResNet18, resnet.LAYERS, 1),
    "resnet18_tiny": Entry(functools.partial(resnet.ResNet18, large_images=True), resnet.LAYERS_TINY, 1),
    "masc_mlp": Entry(masc.MascMLP, masc.MLP_LAYERS),
    "masc_cnn": Entry(masc.MascCNN, masc.CNN_LAYERS, masc.CNN_SMALLEST_IMAGE),
    "mnist1d_mlp": Entry(mnist1d.Mnist1dMLP, mnist1d.MLP_LAYERS, stackable=True),
    "mnist1d_cnn": Entry(mnist1d.Mnist1dCNN, mnist1d.CNN_LAYERS, shortest_sequence=mnist1d.CNN_SHORTEST_SEQUENCE),
}


def check_name(name: str) -> None:
    """Raises ValueError, naming the valid ones, unless `name` is a model, or MODULE:NAME; imports nothing."""
    if plugins.is_own(name):
        plugins.check_form("model", name)
    elif name not in MODELS:
        known = ", ".join(sorted(MODELS))
        raise ValueError(f"expected model to be one of {known}, or MODULE:NAME of your own, got {name!r}")


def _entry(name: str) -> Entry:
    check_name(name)
    if not plugins.is_own(name):
        return MODELS[name]
    entry = plugins.find("model", name)
    if not isinstance(entry, Entry):
        raise ValueError(f"model {name}: expected a models.Entry, got {type(entry).__name__}")
    return entry


def check_dropout(name: str, dropout: float | None) -> None:
    """Raises ValueError unless the rate is None, or in [0, 1) for a model that has dropout."""
    if dropout is not None and not 0 <= dropout < 1:
        raise ValueError(f"expected dropout >= 0 and < 1, got {dropout}")
    if dropout and not _entry(name).has_dropout:
        raise ValueError(f"expected no dropout for model {name}, which has none in the paper, got {dropout}")


def can_be_stacked(name: str) -> bool:
    """Tells whether several networks of a kind may be one vmapped program: dense ones without dropout."""
    return _entry(name).stackable


def check_input(name: str, shape: tuple[int, ...]) -> None:
    """Raises ValueError unless a network takes examples of a shape: images or sequences for some, and not too small."""
    entry = _entry(name)
    smallest, shortest = entry.smallest_image, entry.shortest_sequence
    if shortest is not None and (len(shape) != 1 or shape[0] < shortest):
        expected = f"expected sequences of at least {shortest} numbers for model {name}, like those of mnist1d"
        raise ValueError(f"{expected}, got examples of shape {shape}")
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
    dtype: DTypeLike = jnp.float32,
    init: str = "lecun",
    dropout: float | None = None,
    axis_name: str | None = None,
) -> nn.Module:
    """Makes a flax.linen module with init(key, x, train=False) and apply(variables, x, train=False, mask=None).

    Args:
      name: one of `MODELS`; or MODULE:NAME, an Entry of yours.
      width: None for the paper's, as for the rate of `dropout`.
      dtype: of the computation; parameters are float32 or wider.
      init: how parameters start, one of `initializers.INITS`; by default as Flax does.
      axis_name: of the devices that share a batch, when training under `pmap`.
    """
    entry = _entry(name)
    check_init(init)
    check_dropout(name, dropout)
    if width is not None and width < 1:
        raise ValueError(f"expected width >= 1, got {width}")
    options = {"dtype": jnp.dtype(dtype), "initialization": init, "axis_name": axis_name}
    papers = {"width": width, "dropout": dropout if entry.has_dropout else None}
    options |= {field: value for field, value in papers.items() if value is not None}
    try:
        return entry.constructor(num_classes=num_classes, **options)
    except TypeError as error:
        raise ValueError(f"model {name} takes other options than models.Entry says: {error}") from error


def layers(name: str) -> tuple[Layer, ...]:
    """Lists the analyzed layers of a network in order."""
    return _entry(name).layers


def layer_names(name: str) -> tuple[str, ...]:
    """Lists the names of `layers`, under which activations are sown and parameters stored."""
    return tuple(layer.name for layer in layers(name))
