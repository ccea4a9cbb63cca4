"""Entry point: the mean-field geometry of a set of manifolds."""

from collections.abc import Sequence

import jax

from memorize_jax.geometry.layers import measure_layers
from memorize_jax.geometry.result import ManifoldGeometry


def manifold_geometry(
    points,
    *,
    key: jax.Array,
    classes: Sequence[int] | None = None,
    num_draws: int = 300,
    kappa: float = 0.0,
    num_center_components: int | None = None,
    center_basis: jax.Array | None = None,
    frame: str = "rank",
    compat: str | None = None,
    vary_components: bool = False,
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
      points: [P, M, N] array, or a list of P arrays [M_i, N]: manifolds x examples x features, of real numbers. float64
        of NumPy is centred and scaled before it becomes float32 (`points.read_manifolds`). For a list of features x
        examples, as the published tool takes it, see `from_mftma`.
      key: PRNG key; the same key gives the same answer on any number of devices.
      classes: [P] the caller's own numbers of the manifolds, for the result and its warnings.
      num_draws: Gaussian draws per manifold; the relative standard error of the set's capacity is about
        sqrt(2 capacity / (num_draws P)).
      kappa: margin >= 0, in units of the distance to the centre.
      num_center_components: K, the number of centre directions to remove; None chooses it.
      center_basis: [K, N], orthonormal directions to remove instead.
      frame: "rank" or "qr"; see `frames.build_frames`. Only the dimension depends on it.
      compat: "mftma" follows the published tool: frame "qr" and K >= 1.
      vary_components: whether to measure the set's capacity also with max(1, round(P / 20)) centre directions fewer and
        more than K removed, which takes three times as many programs.
      draws: [n, M+1] or [P, n, M+1], to be used instead of sampling: M coordinates in the space of the examples and
        one along the centre.
      solver: see `solvers.nonnegative_qp`, as are `tol` and `maxiter`.
      tol: see there.
      maxiter: see there.
      chunk: manifolds solved as one batch (see `batching.chunked_map`); memory is about 8 x chunk x num_draws x M
        numbers.

    Returns:
      ManifoldGeometry. Inside jit, bad data give NaN and a status.

    Warns:
      UserWarning: outside jit, manifolds with a status, or a single example among larger ones; a list whose arrays all
        have more rows than columns, which looks like features x examples (an array [P, M, N] is taken at its word).

    Raises:
      ValueError: what is no real numbers, wrong shapes or options, more than memory holds; outside jit also NaN or
        infinite points.

    References:
      Stephenson et al. 2021, section 3.2 and appendix A.1.
    """
    found = measure_layers(
        {None: points},
        key,
        classes,
        num_draws=num_draws,
        kappa=kappa,
        num_center_components=num_center_components,
        center_basis=center_basis,
        frame=frame,
        compat=compat,
        vary_components=vary_components,
        draws=draws,
        solver=solver,
        tol=tol,
        maxiter=maxiter,
        chunk=chunk,
    )
    return jax.tree.map(lambda leaf: leaf[0], found)
