"""Entry point: the mean-field geometry of a set of manifolds."""

import jax

from memorize_jax.geometry.options import prepare_options
from memorize_jax.geometry.pipeline import geometry_of_layers
from memorize_jax.geometry.points import check_points, pad_manifolds
from memorize_jax.geometry.result import ManifoldGeometry


def manifold_geometry(
    points,
    *,
    key: jax.Array,
    num_draws: int = 300,
    kappa: float = 0.0,
    num_center_components: int | None = None,
    center_basis: jax.Array | None = None,
    frame: str = "rank",
    compat: str | None = None,
    draws: jax.Array | None = None,
    solver: str = "active_set",
    tol: float | None = None,
    maxiter: int | None = None,
    chunk: int | None = None,
) -> ManifoldGeometry:
    """Measures capacity, radius, dimension and centre correlation of a set of manifolds.

    Mean of all points subtracted; shared centre directions removed (`centers.center_structure`); each manifold
    centred and divided by the distance to its centre; then `num_draws` Gaussian vectors are projected on its
    cone of solutions (`anchors.anchor_statistics` has the formulas). Scale, rotation and translation of the whole
    set do not change the result. The capacity (alone) is differentiable with respect to the points, the removed
    directions held fixed. Works eagerly, under jit, vmap and pmap.

    Args:
      points: [P, M, N] array, or a list of P arrays [M_i, N]: manifolds x examples x features. Integers are
        converted to floating point.
      key: PRNG key; the same key gives the same answer on any number of devices.
      num_draws: Gaussian draws per manifold; the relative standard error of the set's capacity is about
        sqrt(2 capacity / (num_draws P)).
      kappa: margin >= 0, in units of the distance to the centre.
      num_center_components: K, the number of centre directions to remove; None chooses it.
      center_basis: [K, N], orthonormal directions to remove instead.
      frame: "rank" or "qr"; see `frames.build_frames`. Only the dimension depends on it.
      compat: "mftma" follows the published tool: frame "qr" and K >= 1.
      draws: [n, M+1] or [P, n, M+1], to be used instead of sampling: M coordinates in the space of the examples and
        one along the centre.
      solver: see `solvers.nonnegative_qp`, as are `tol` and `maxiter`.
      tol: see there.
      maxiter: see there.
      chunk: manifolds solved as one batch (see `batching.chunked_map`); memory is about 8 x chunk x num_draws x M
        numbers.

    Returns:
      ManifoldGeometry. Inside jit, bad data give NaN and a status.

    Raises:
      ValueError: wrong shapes or options; outside jit also NaN or infinite points.

    References:
      Stephenson et al. 2021, section 3.2 and appendix A.1.
    """
    points, mask = pad_manifolds(points)
    check_points(points)
    options = prepare_options(
        num_draws=num_draws,
        kappa=kappa,
        num_center_components=num_center_components,
        center_basis=center_basis,
        frame=frame,
        compat=compat,
        draws=draws,
        shape=(*mask.shape, points.dtype),
        solver=solver,
        tol=tol,
        maxiter=maxiter,
        chunk=chunk,
    )
    stacked = geometry_of_layers((points,), mask, key, **options)
    return jax.tree.map(lambda leaf: leaf[0], stacked)
