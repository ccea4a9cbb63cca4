"""Points of manifolds as the measurements take them: padded, and checked while they can be."""

import jax
import jax.numpy as jnp
import numpy as np


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
