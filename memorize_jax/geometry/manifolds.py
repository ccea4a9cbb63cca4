"""Entry point: the mean-field geometry of a set of manifolds."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax.geometry import status as status_flags
from memorize_jax.geometry.anchors import AnchorStatistics, anchor_statistics
from memorize_jax.geometry.batching import chunked_map
from memorize_jax.geometry.centers import center_structure
from memorize_jax.geometry.frames import build_frames
from memorize_jax.geometry.grams import Grams, reduce_points
from memorize_jax.keys import stream

FRAMES = ("rank", "qr")
COMPATS = (None, "mftma")


class ManifoldGeometry(NamedTuple):
    """Geometry of P manifolds, with the evidence for every number.

    `layer_geometry` returns the same with a leading layer axis on every field.

    Attributes:
      capacity: [P], mean-field capacity alpha; NaN where `status` says the number cannot be had.
      radius: [P], in units of the distance to the manifold's centre.
      dimension: [P].
      center_correlation: [], mean |cos| between centres before the low-rank removal.
      num_center_components: int32 [], K removed.
      residual_correlation: [], mean |cos| between centres after it.
      center_cost: [], the minimised 1/2 sum of cos^2.
      retained_center_norm: [P], share of each centre that survived the removal.
      capacity_standard_error: [P], from the finite number of draws.
      kkt_residual: [P], largest distance by which a program misses optimality.
      active_fraction: [P], share of the draws that violate a constraint.
      center_norm: [P], distance of the centre from the origin after the removal, in the data's unit.
      rank: int32 [P], dimension of the span of the manifold's centred points.
      num_examples: int32 [P], examples of each manifold.
      num_draws: int32 [], Gaussian draws per manifold.
      status: int32 [P], bit flags of `geometry.status`; 0 is fine.
    """

    capacity: jax.Array
    radius: jax.Array
    dimension: jax.Array
    center_correlation: jax.Array
    num_center_components: jax.Array
    residual_correlation: jax.Array
    center_cost: jax.Array
    retained_center_norm: jax.Array
    capacity_standard_error: jax.Array
    kkt_residual: jax.Array
    active_fraction: jax.Array
    center_norm: jax.Array
    rank: jax.Array
    num_examples: jax.Array
    num_draws: jax.Array
    status: jax.Array

    def summary(self) -> dict[str, jax.Array]:
        """Summarises over manifolds as the paper does.

        Returns:
          dict of arrays without the manifold axis: capacity (harmonic mean over manifolds, the mean-field value for
          the whole set), its standard error, radius and dimension (arithmetic means), center_correlation.
        """
        capacity = 1 / jnp.mean(1 / self.capacity, axis=-1)
        # d(harmonic mean)/d(alpha_p) = (harmonic / alpha_p)^2 / P; draws of different manifolds are independent.
        weighted = self.capacity_standard_error * (capacity[..., None] / self.capacity) ** 2
        return {
            "capacity": capacity,
            "capacity_standard_error": jnp.sqrt(jnp.sum(weighted**2, axis=-1)) / self.capacity.shape[-1],
            "radius": jnp.mean(self.radius, axis=-1),
            "dimension": jnp.mean(self.dimension, axis=-1),
            "center_correlation": self.center_correlation,
        }

    def draws_needed(self, target_relative_error: float) -> jax.Array:
        """Estimates how many draws per manifold bring the summary capacity's relative standard error to a target.

        Args:
          target_relative_error: e.g. 0.01.

        Returns:
          float, without the manifold axis: num_draws (relative error / target)^2.
        """
        summary = self.summary()
        relative = summary["capacity_standard_error"] / summary["capacity"]
        return jnp.ceil(self.num_draws * (relative / target_relative_error) ** 2)


def is_concrete(array) -> bool:
    """Tells a real array from one that stands for it while jax traces."""
    return not isinstance(array, jax.core.Tracer)


def pad_manifolds(points) -> tuple[jax.Array, jax.Array]:
    """Brings manifolds of equal or unequal size into one array.

    Args:
      points: [P, M, N] array, or a list of [M_i, N] arrays.

    Returns:
      (points [P, M, N] floating, padded with zeros; mask [P, M], 1 where an example is present).

    Raises:
      ValueError: wrong number of axes, unequal features, an empty manifold, or fewer than two manifolds.
    """
    if isinstance(points, (list, tuple)):
        shapes = [np.shape(one) for one in points]
        if any(len(shape) != 2 for shape in shapes) or len({shape[1] for shape in shapes}) > 1:
            raise ValueError(f"expected a list of [M_i, N] arrays with the same N, got shapes {shapes[:8]}")
        most = max((shape[0] for shape in shapes), default=0)
        padded = [jnp.pad(jnp.asarray(one), ((0, most - len(one)), (0, 0))) for one in points]
        counts = np.array([shape[0] for shape in shapes])
        points = jnp.stack(padded) if padded else jnp.zeros((0, 0, 0))
    else:
        points = jnp.asarray(points)
        if points.ndim != 3:
            raise ValueError(f"expected points [manifolds, examples, features], got shape {points.shape}")
        counts = np.full(points.shape[0], points.shape[1])
    if points.shape[0] < 2:
        raise ValueError(f"expected at least 2 manifolds, got {points.shape[0]}: capacity is about telling them apart")
    if counts.min() < 1 or points.shape[2] < 1:
        raise ValueError(f"expected at least 1 example per manifold and 1 feature, got shape {points.shape}")
    if not jnp.issubdtype(points.dtype, jnp.floating):
        points = points.astype(jnp.promote_types(jnp.float32, jnp.result_type(float)))
    mask = jnp.asarray(np.arange(points.shape[1]) < counts[:, None], points.dtype)
    return points, mask


def check_points(points: jax.Array, name: str = "points") -> None:
    """Raises ValueError naming the first bad value of concrete points; inside jit it leaves that to the status.

    Args:
      points: [P, M, N].
      name: what to call them.
    """
    if not is_concrete(points):
        return
    bad = np.argwhere(~np.isfinite(np.asarray(points)))
    if len(bad):
        manifold, example, feature = (int(i) for i in bad[0])
        raise ValueError(
            f"expected finite {name}, got {len(bad)} NaN or infinite values, "
            f"the first in manifold {manifold}, example {example}, feature {feature}"
        )


def sample_draws(key: jax.Array, num_manifolds: int, num_draws: int, num_examples: int, dtype) -> jax.Array:
    """Samples the Gaussian vectors of every manifold.

    Args:
      key: PRNG key; manifold p uses `fold_in(key, p)`, so adding manifolds changes no other's draws.
      num_manifolds: P.
      num_draws: n.
      num_examples: M.
      dtype: floating.

    Returns:
      [P, n, M+1], standard normal: M coordinates in the space of examples and one along the centre.
    """
    keys = jax.vmap(lambda p: jax.random.fold_in(key, p))(jnp.arange(num_manifolds))
    return jax.vmap(lambda k: jax.random.normal(k, (num_draws, num_examples + 1), dtype))(keys)


def _statistics(frames, draws, kappa, chunk, solver_options) -> AnchorStatistics:
    """Solves the programs of all layers and manifolds, `chunk` manifolds at a time; leaves [L, P]."""
    num_layers, num_manifolds = frames.rank.shape
    flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), frames)

    def one(item):
        index, frame, projector, num_directions = item
        # Layers share their draws, so they are looked up rather than copied.
        raw = draws[index % num_manifolds]
        direction = raw[:, :-1] @ projector
        return anchor_statistics(
            frame,
            jnp.concatenate([direction, raw[:, -1:]], axis=1),
            kappa=kappa,
            num_directions=num_directions,
            direction_norm=jnp.linalg.norm(direction, axis=1),
            **solver_options,
        )

    items = (jnp.arange(num_layers * num_manifolds), flat.frame, flat.projector, flat.num_directions)
    found = chunked_map(one, items, chunk)
    return jax.tree.map(lambda leaf: leaf.reshape(num_layers, num_manifolds), found)


@functools.partial(
    jax.jit,
    static_argnames=("num_draws", "frame", "center_options", "solver_options", "chunk"),
)
@jax.default_matmul_precision("highest")
def geometry_of_layers(
    layers, mask, key, draws, kappa, center_basis, *, num_draws, frame, center_options, solver_options, chunk
) -> ManifoldGeometry:
    """Computes the geometry of several layers that show the same examples; `layer_geometry` documents it.

    Args:
      layers: tuple of [P, M, N_l] floating arrays.
      mask: [P, M], 1 where an example is present.
      key: PRNG key.
      draws: [P, n, M+1], or None to sample.
      kappa: margin.
      center_basis: None, or [K, N] for all layers.
      num_draws: n, where `draws` is None.
      frame: "rank" or "qr".
      center_options: tuple of (name, value) for `centers.center_structure`.
      solver_options: tuple of (name, value) for `solvers.nonnegative_qp`.
      chunk: manifolds per batch of programs.

    Returns:
      ManifoldGeometry, every leaf with a leading layer axis.
    """
    reduced = [reduce_points(points, mask, center_basis=center_basis) for points in layers]
    options = {"frame": frame, "center_options": center_options, "solver_options": solver_options, "chunk": chunk}
    return geometry_of_grams(reduced, mask, key, draws, kappa, num_draws=num_draws, **options)


def geometry_of_grams(
    reduced: Sequence[Grams], mask, key, draws, kappa, *, num_draws, frame, center_options, solver_options, chunk
) -> ManifoldGeometry:
    """Computes the geometry of layers that have been reduced to inner products.

    Args:
      reduced: Grams of every layer.
      mask: as for `geometry_of_layers`, like all that follows.
      key: PRNG key.
      draws: [P, n, M+1], or None.
      kappa: margin.
      num_draws: n.
      frame: "rank" or "qr".
      center_options: of `centers.center_structure`.
      solver_options: of `solvers.nonnegative_qp`.
      chunk: manifolds per batch of programs.

    Returns:
      ManifoldGeometry, every leaf with a leading layer axis.
    """
    num_manifolds, num_examples = mask.shape
    if draws is None:
        draws = sample_draws(stream(key, "draws"), num_manifolds, num_draws, num_examples, mask.dtype)
    grams = jax.tree.map(lambda *leaves: jnp.stack(leaves), *reduced)

    def center_and_frame(one_layer):
        centers = jax.lax.stop_gradient(one_layer.centers)
        structure = center_structure(centers, key=key, **dict(center_options))
        return structure, build_frames(one_layer, structure, mask, frame=frame)

    structure, frames = jax.lax.map(center_and_frame, grams)
    statistics = _statistics(frames, draws, kappa, chunk, dict(solver_options))
    flags = status_flags.flags(
        grams.finite, frames.center_norm, frames.retained, statistics.mean_kkt_residual, statistics.radius
    )
    invalid = (flags & status_flags.INVALID) != 0
    blank = lambda value: jnp.where(invalid, jnp.nan, value)
    return ManifoldGeometry(
        capacity=blank(statistics.capacity),
        radius=blank(statistics.radius),
        dimension=blank(statistics.dimension),
        center_correlation=structure.center_correlation,
        num_center_components=structure.num_components,
        residual_correlation=structure.residual_correlation,
        center_cost=structure.cost,
        retained_center_norm=frames.retained,
        capacity_standard_error=blank(statistics.capacity_standard_error),
        kkt_residual=statistics.kkt_residual,
        active_fraction=blank(statistics.active_fraction),
        center_norm=frames.center_norm,
        rank=frames.rank,
        num_examples=jnp.broadcast_to(jnp.sum(mask, axis=1).astype(jnp.int32), flags.shape),
        num_draws=jnp.full(flags.shape[:1], draws.shape[1], jnp.int32),
        status=flags,
    )


def prepare_options(
    *, num_draws, kappa, num_center_components, center_basis, frame, compat, draws, shape, solver, tol, maxiter, chunk
) -> dict:
    """Validates the options that `manifold_geometry` and `layer_geometry` share.

    Returns:
      keyword arguments for `geometry_of_layers` (all but layers, mask and key).

    Raises:
      ValueError: naming the option, what is expected and what was given.
    """
    if compat not in COMPATS:
        raise ValueError(f"expected compat to be None or 'mftma', got {compat!r}")
    if frame not in FRAMES:
        raise ValueError(f"expected frame to be one of {', '.join(FRAMES)}, got {frame!r}")
    if num_draws < 1:
        raise ValueError(f"expected num_draws >= 1, got {num_draws}")
    if is_concrete(kappa) and not kappa >= 0:
        raise ValueError(f"expected kappa >= 0, got {kappa}")
    if center_basis is not None and num_center_components is not None:
        raise ValueError("expected either center_basis or num_center_components, got both")
    num_manifolds, num_examples, dtype = shape
    if draws is not None:
        draws = jnp.asarray(draws, dtype)
        if draws.ndim not in (2, 3) or draws.shape[-1] != num_examples + 1:
            raise ValueError(
                f"expected draws [n, {num_examples + 1}] or [{num_manifolds}, n, {num_examples + 1}], got {draws.shape}"
            )
        draws = jnp.broadcast_to(draws, (num_manifolds, *draws.shape[-2:]))
    if center_basis is not None:
        center_basis, num_center_components = jnp.asarray(center_basis), 0
    center_options = {"num_components": num_center_components, "min_components": 1 if compat == "mftma" else 0}
    return {
        "draws": draws,
        "kappa": kappa,
        "center_basis": center_basis,
        "num_draws": num_draws,
        "frame": "qr" if compat == "mftma" else frame,
        "center_options": tuple(sorted(center_options.items())),
        "solver_options": (("maxiter", maxiter), ("solver", solver), ("tol", tol)),
        "chunk": chunk,
    }


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
