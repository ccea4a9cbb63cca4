"""All layers of a network in one call."""

import dataclasses
import warnings
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax.geometry.options import prepare_options
from memorize_jax.geometry.pipeline import geometry_of_layers
from memorize_jax.geometry.points import is_concrete, read_manifolds
from memorize_jax.geometry.result import ManifoldGeometry


def layer_geometry(
    layers: Mapping[str, jax.Array], *, key: jax.Array, classes: Sequence[int] | None = None, **options
) -> ManifoldGeometry:
    """Measures the geometry of every layer of a network on the same examples, as one program.

    Each layer is reduced to inner products on its own; the programs of all layers are then one batch. Layers share
    their draws, so their differences are not blurred by sampling noise. One entry equals
    `manifold_geometry` of that layer with the same key, to rounding.

    Args:
      layers: name -> points [P, M, N_layer], or lists of [M_i, N_layer]; the same P and M_i for all.
      key: PRNG key.
      classes: [P], see `manifold_geometry`.
      **options: those of `manifold_geometry` but for `center_basis`; K is chosen layer by layer where it is not given.

    Returns:
      ManifoldGeometry, every leaf with a leading axis in the order of its `layers`; `geometry[name]` is one of them.
      The order is that of the argument, but jax sorts a dict by its keys when it goes into a jitted function.

    Warns:
      UserWarning: as `manifold_geometry`.

    Raises:
      ValueError: no layers, layers that differ in P or M_i, wrong options; what `manifold_geometry` raises.
    """
    if not layers:
        raise ValueError("expected at least one layer, got none")
    return measure_layers(layers, key, classes, center_basis=None, **options)


def measure_layers(layers, key, classes, **options) -> ManifoldGeometry:
    """What `layer_geometry` and `manifold_geometry` have in common; None is the name of points that are no layer.

    Args:
      layers: name -> points.
      key: PRNG key.
      classes: [P], or None.
      **options: of `manifold_geometry`.

    Returns:
      ManifoldGeometry with a leading layer axis.
    """
    read, mask, dtype, classes = read_layers(layers, classes)
    if isinstance(layers.get(None), (list, tuple)) and mask.sum(axis=1).min() > read[None].points.shape[2]:
        warnings.warn(
            "every manifold has more examples than features; if the arrays are features x examples, as for the "
            "published tool, give geometry.from_mftma(points)",
            stacklevel=3,
        )
    options = prepare_options(shape=(len(read), *mask.shape, dtype), **options)
    points = tuple(one.points.astype(dtype) for one in read.values())
    found = geometry_of_layers(points, mask.astype(dtype), key, **options)
    found = dataclasses.replace(found, layers=None if None in read else tuple(read), classes=classes)
    exponents = np.array([[one.exponent] for one in read.values()])
    if exponents.any():
        found = dataclasses.replace(found, center_norm=jnp.ldexp(found.center_norm, exponents))
    if is_concrete(found.status) and (problems := found.problems()):
        warnings.warn("; ".join(problems), stacklevel=3)
    return found


def read_layers(layers, classes, *, keep_origin: bool = False):
    """Reads the points of all layers, and the names of their classes.

    Args:
      layers: name -> points; None is the name of points that are no layer.
      classes: [P], or None.
      keep_origin: see `points.read_manifolds`.

    Returns:
      (name -> Manifolds, mask [P, M], the layers' common dtype, classes as a tuple or None).

    Raises:
      ValueError: layers or classes that do not match, what `points.read_manifolds` raises.
    """
    called = {name: "points" if name is None else f"points of layer {name!r}" for name in layers}
    read = {name: read_manifolds(x, called[name], keep_origin=keep_origin) for name, x in layers.items()}
    masks = [one.mask for one in read.values()]
    if any(mask.shape != masks[0].shape or np.any(mask != masks[0]) for mask in masks):
        counts = {name: np.sum(one.mask, axis=1, dtype=int).tolist() for name, one in read.items()}
        raise ValueError(f"expected the same manifolds and examples in every layer, got examples {counts}")
    classes = None if classes is None else tuple(np.asarray(classes).tolist())
    if classes is not None and len(classes) != len(masks[0]):
        raise ValueError(f"expected classes [{len(masks[0])}], got {len(classes)}")
    return read, masks[0], jnp.result_type(*(one.points.dtype for one in read.values())), classes
