"""Activations of every analyzed layer of a network."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from memorize_jax.adapters import AnyNetwork
from memorize_jax.data import ChannelStatistics, standardize

INPUT = "input"
# What the last layer multiplies; in a convolutional network the last analyzed activation need not be it.
HEAD_INPUT = "head_input"
# Activations of all examples are on the host together only as far as they fit in this.
HOST_BYTES = 2**32
BATCH = 1024
# Accelerators multiply float32 in fewer bits unless asked; numbers would then not be those of training's evaluation.
PRECISION = "highest"
# (variables, images [n, ...]) -> name of a layer -> its activations [n, d].
Reader = Callable[[dict, jax.Array], dict[str, Any]]


def layer_activations(
    model: AnyNetwork, variables: dict, inputs: Shaped[Array | np.ndarray, "n ..."], layers: tuple[str, ...]
) -> dict[str, Shaped[Array | np.ndarray, "n ..."]]:
    """Computes what every layer shows for some inputs, in evaluation mode, products in full float32 on any device.

    Args:
      model: sows `<layer>_out` for each layer.
      variables: params and batch_stats.
      inputs: standardized.
      layers: names of those wanted, in order.

    Returns:
      Name -> activations; the first is "input", the inputs themselves, the others are taken after the nonlinearity.

    Raises:
      ValueError: the model does not sow one of the layers.
    """
    with jax.default_matmul_precision(PRECISION):
        sown: Any = model.apply(variables, inputs, train=False, mutable=["intermediates"])[1]["intermediates"]
    missing = [name for name in layers if f"{name}_out" not in sown]
    if missing:
        raise ValueError(f"expected the model to sow {', '.join(missing)}, got {', '.join(sorted(sown))}")
    return {INPUT: inputs, **{name: sown[f"{name}_out"][0] for name in layers}}


def as_vectors(shown: Mapping[str, Shaped[Array | np.ndarray, "n ..."]]) -> dict[str, Float[Array | np.ndarray, "n _"]]:
    """Activations as float32 vectors."""
    return {name: value.reshape(len(value), -1).astype(jnp.float32) for name, value in shown.items()}


def flat_reader(model: AnyNetwork, statistics: ChannelStatistics | None, layers: tuple[str, ...]) -> Reader:
    """Builds the function that shows the input and the layers of a network as vectors, for images as they are."""

    def read(variables, images):
        return as_vectors(layer_activations(model, variables, standardize(images, statistics), layers))

    return read


def head_reader(model: AnyNetwork, statistics: ChannelStatistics | None, layers: tuple[str, ...], head: str) -> Reader:
    """Builds what `flat_reader` does, which also shows `HEAD_INPUT`, the input of the layer `head`.

    A network that is no flax module, see `adapters`, does not tell what its last layer takes.
    """
    if not isinstance(model, nn.Module):
        return flat_reader(model, statistics, layers)

    def read(variables, images):
        caught = []

        def catch(call, args, kwargs, context):
            if context.module.name == head and context.method_name == "__call__":
                caught.append(args[0])
            return call(*args, **kwargs)

        with nn.intercept_methods(catch):
            shown = layer_activations(model, variables, standardize(images, statistics), layers)
        return as_vectors({**shown, HEAD_INPUT: caught[0]})

    return read


def hosted_activations(
    read: Reader,
    variables: dict,
    image_sets: Sequence[Shaped[np.ndarray, "_ ..."]],
    names: tuple[str, ...],
    dtype: str = "float32",
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Yields one layer after the other; the network is run again where memory asks for it.

    Args:
      read: e.g. of `flat_reader`.
      variables: params and batch_stats.
      image_sets: of the same kind.
      names: wanted, of those that `read` shows.
      dtype: of the result.

    Yields:
      (name, its activations [n, d] of every set).
    """
    sample = jax.ShapeDtypeStruct((1, *image_sets[0].shape[1:]), image_sets[0].dtype)
    widths = {name: leaf.shape[1] for name, leaf in jax.eval_shape(read, variables, sample).items()}
    total = sum(map(len, image_sets))
    groups, room = [[]], HOST_BYTES
    for name in names:
        size = total * widths[name] * np.dtype(dtype).itemsize
        if groups[-1] and size > room:
            groups.append([])
            room = HOST_BYTES
        groups[-1].append(name)
        room -= size
    for group in groups:
        shown = [run_in_batches(read, variables, images, tuple(group), dtype) for images in image_sets]
        for name in group:
            yield name, [found.pop(name) for found in shown]


@jax.jit(static_argnums=(0, 3))
def _read_some(read, variables, images, names):
    with jax.default_matmul_precision(PRECISION):
        shown = read(variables, images)
    return {name: shown[name] for name in names}


def run_in_batches(
    read: Reader,
    variables: dict,
    images: Shaped[np.ndarray, "n ..."],
    names: tuple[str, ...],
    dtype: str = "float32",
) -> dict[str, Float[np.ndarray, "n _"]]:
    """Runs a network on many images, a batch at a time; name -> activations, on the host."""
    batch = min(BATCH, len(images))
    found = {}
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        missing = batch - len(part)
        padded = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part
        for name, value in _read_some(read, variables, padded, names).items():
            value = np.asarray(value)
            if name not in found:
                found[name] = np.empty((len(images), value.shape[1]), dtype)
            found[name][start : start + len(part)] = value[: len(part)]
    return found
