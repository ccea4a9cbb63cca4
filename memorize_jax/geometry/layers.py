"""All layers of a network in one call."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from memorize_jax.geometry.options import prepare_options
from memorize_jax.geometry.pipeline import geometry_of_layers
from memorize_jax.geometry.points import check_points, pad_manifolds
from memorize_jax.geometry.result import ManifoldGeometry


def layer_geometry(
    layers: Mapping[str, jax.Array],
    *,
    key: jax.Array,
    num_draws: int = 300,
    kappa: float = 0.0,
    num_center_components: int | None = None,
    frame: str = "rank",
    compat: str | None = None,
    draws: jax.Array | None = None,
    solver: str = "active_set",
    tol: float | None = None,
    maxiter: int | None = None,
    chunk: int | None = None,
) -> ManifoldGeometry:
    """Measures the geometry of every layer of a network on the same examples, as one program.

    Each layer is reduced to inner products on its own; the programs of all layers are then one batch. Layers share
    their draws, so their differences are not blurred by sampling noise. One entry equals
    `manifold_geometry` of that layer with the same key, to rounding.

    Args:
      layers: name -> points [P, M, N_layer], or lists of [M_i, N_layer]; the same P and M_i for all.
      key: PRNG key.
      num_draws: see `manifold_geometry`, as are the other options.
      kappa: margin >= 0.
      num_center_components: K for every layer, or None to choose it layer by layer.
      frame: "rank" or "qr".
      compat: "mftma" for the published tool's conventions.
      draws: [n, M+1] or [P, n, M+1].
      solver: see `solvers.nonnegative_qp`, as are `tol` and `maxiter`.
      tol: see there.
      maxiter: see there.
      chunk: manifolds solved as one batch.

    Returns:
      ManifoldGeometry, every leaf with a leading axis in the order of `layers`.

    Raises:
      ValueError: no layers, layers that differ in P or M, wrong options; outside jit also NaN or infinite points.
    """
    if not layers:
        raise ValueError("expected at least one layer, got none")
    padded = {name: pad_manifolds(points) for name, points in layers.items()}
    shapes = {name: points.shape[:2] for name, (points, _) in padded.items()}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"expected the same manifolds and examples in every layer, got {shapes}")
    for name, (points, _) in padded.items():
        check_points(points, f"points of layer {name!r}")
    dtype = jnp.result_type(*(points.dtype for points, _ in padded.values()))
    mask = next(iter(padded.values()))[1].astype(dtype)
    options = prepare_options(
        num_draws=num_draws,
        kappa=kappa,
        num_center_components=num_center_components,
        center_basis=None,
        frame=frame,
        compat=compat,
        draws=draws,
        shape=(*mask.shape, dtype),
        solver=solver,
        tol=tol,
        maxiter=maxiter,
        chunk=chunk,
    )
    return geometry_of_layers(tuple(points.astype(dtype) for points, _ in padded.values()), mask, key, **options)
