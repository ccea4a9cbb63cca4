"""Two passes of a network over all examples, in batches: sums of classes, then projections on a few axes."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from memorize_jax.activations import BATCH, HOST_BYTES, Reader
from memorize_jax.scale import power_of_two


class Batch(NamedTuple):
    """Some images, of the number that all batches have.

    Attributes:
      images: those beyond the last are copies of it.
      places: of the images among all.
    """

    images: Shaped[np.ndarray, "b ..."]
    places: slice

    @property
    def count(self) -> int:
        """Number of the images without the copies."""
        return self.places.stop - self.places.start


class Origin(NamedTuple):
    """What the points of a layer are counted from and in, constants that no number of the table depends on.

    Attributes:
      point: one of them, so that a large mean costs no digits.
      unit: of length, a power of two, so that squares neither underflow nor overflow.
    """

    point: Float[Array | np.ndarray, "1 d"]
    unit: Float[Array | np.ndarray, ""]


class ClassSums(NamedTuple):
    """What the first pass finds of a layer.

    Attributes:
      origin: what points are counted from and in.
      sums: of the points of each class of each labeling, about the origin.
      squares: sum of all points' squared distances from the origin.
    """

    origin: Origin
    sums: Float[np.ndarray, "S C d"]
    squares: float


def batches_of(image_sets: Sequence[Shaped[np.ndarray, "_ ..."]]) -> Iterator[Batch]:
    """Cuts images, of several arrays one behind the other, into batches of one size; no more are copied at a time."""
    ends = np.cumsum([0, *map(len, image_sets)])
    total = int(ends[-1])
    size = -(-total // -(-total // BATCH))
    for start in range(0, total, size):
        places = slice(start, min(start + size, total))
        spans = [slice(*np.clip((places.start - first, places.stop - first), 0, None)) for first in ends[:-1]]
        parts = [images[span] for images, span in zip(image_sets, spans, strict=True)]
        found = np.concatenate(parts)
        yield Batch(np.concatenate([found, np.repeat(found[-1:], size - len(found), axis=0)]), places)


def layers_at_a_time(
    read: Reader, variables: dict, images: Shaped[np.ndarray, "n ..."], names: Sequence[str], bytes_per_feature: int
) -> list[tuple[str, ...]]:
    """Splits the layers into lists whose sums fit into memory together; the network is run again for each."""
    sample = jax.ShapeDtypeStruct((1, *images.shape[1:]), images.dtype)
    shapes = jax.eval_shape(read, variables, sample)
    found, room = [], 0
    for name in names:
        needed = shapes[name].shape[1] * bytes_per_feature
        if needed > room:
            found.append([])
            room = HOST_BYTES
        found[-1].append(name)
        room -= needed
    return [tuple(group) for group in found]


def class_sums(
    read: Reader,
    variables: dict,
    image_sets: Sequence[Shaped[np.ndarray, "_ ..."]],
    labels: Int[np.ndarray, "S n"],
    num_classes: int,
    names: tuple[str, ...],
) -> dict[str, ClassSums]:
    """The first pass: name of a layer -> sums of its points by class; labels of -1 are in no class.

    A batch is added up in float32, about the first example and in units of the first batch, the batches in float64.
    """

    def add_up(batch, origins):
        own_labels = np.full((len(labels), len(batch.images)), -1, np.int32)
        own_labels[:, : batch.count] = labels[:, batch.places]
        return _sums(read, names, num_classes, variables, batch.images, own_labels, origins)

    points = _first_points(read, names, variables, image_sets[0][:1])
    one = jnp.ones((), jnp.float32)
    of_first = add_up(next(batches_of(image_sets)), {name: Origin(point, one) for name, point in points.items()})
    origins = {name: Origin(points[name], power_of_two(largest)) for name, (*_, largest) in of_first.items()}
    found = {}
    for batch in batches_of(image_sets):
        for name, (sums, squares, _) in add_up(batch, origins).items():
            before = found.get(name, (0.0, 0.0))
            squared = float(np.asarray(squares, np.float64)[: batch.count].sum())
            found[name] = (before[0] + np.asarray(sums, np.float64), before[1] + squared)
    return {name: ClassSums(jax.device_get(origins[name]), *own) for name, own in found.items()}


def projections(
    read: Reader,
    variables: dict,
    image_sets: Sequence[Shaped[np.ndarray, "_ ..."]],
    origins: Mapping[str, Origin],
    axes: Mapping[str, Float[np.ndarray, "K d"]],
    head: str,
) -> Iterator[tuple[slice, dict[str, Float[np.ndarray, "b K"]], Int[np.ndarray, " b"]]]:
    """The second pass: places of some examples, products of their points about the origin with the axes, their class.

    The class is that of the largest value in the layer `head`; -1 where one of these is not finite.
    """
    axes, origins = jax.device_put((dict(axes), dict(origins)))
    for batch in batches_of(image_sets):
        found, answers = _products(read, head, variables, batch.images, origins, axes)
        shown = {name: np.asarray(values, np.float64)[: batch.count] for name, values in found.items()}
        yield batch.places, shown, np.asarray(answers)[: batch.count]


def _about(points, origin):
    return (points - origin.point) / origin.unit


@functools.partial(jax.jit, static_argnums=(0, 1))
def _first_points(read, names, variables, images):
    shown = read(variables, images)
    return {name: shown[name] for name in names}


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
@jax.default_matmul_precision("highest")
def _sums(read, names, num_classes, variables, images, labels, origins):
    shown = read(variables, images)
    # Of the label -1 there is no 1.
    belongs = jax.nn.one_hot(labels, num_classes, dtype=jnp.float32)
    found = {}
    for name in names:
        points = _about(shown[name], origins[name])
        sums = jnp.einsum("snc,nd->scd", belongs, points)
        found[name] = (sums, jnp.sum(points**2, axis=1), jnp.max(jnp.abs(points)))
    return found


@functools.partial(jax.jit, static_argnums=(0, 1))
@jax.default_matmul_precision("highest")
def _products(read, head, variables, images, origins, axes):
    shown = read(variables, images)
    found = {name: _about(shown[name], origins[name]) @ own.T for name, own in axes.items()}
    is_finite = jnp.all(jnp.isfinite(shown[head]), axis=1)
    return found, jnp.where(is_finite, jnp.argmax(shown[head], axis=1), -1)
