"""One shape, a few compiled programs: what the tests of mean-field geometry measure."""

import jax
import numpy as np

from memorize_jax import geometry

KEY = jax.random.key(0)
# What a program solves its quadratic parts with takes most of its compilation; this method takes the least.
OPTIONS = {"key": KEY, "num_draws": 30, "num_center_components": 0, "solver": "box_cdqp"}
RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(4), 6)
ROWS = RNG.normal(size=(24, 8)) + 2 * RNG.normal(size=(4, 8))[LABELS]
POINTS = ROWS.reshape(4, 6, 8)
MEASURES = ("capacity", "radius", "dimension", "center_correlation")


def measure(points, **options):
    return geometry.manifold_geometry(points, **OPTIONS | options)


def told(points, **options):
    found = measure(points, **options)
    return np.concatenate([np.ravel(getattr(found, name)) for name in MEASURES])


JITTED = jax.jit(measure)


def on_axes(num_axes):
    """Ten classes whose points differ along a few axes only."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(10, 1, 8)) * 2 + rng.normal(size=(10, 20, 8))
    points[..., num_axes:] = 0
    return points.astype(np.float32)
