"""Recordings and results that nobody measured, for tests of how they are read, written and shown."""

import dataclasses

import numpy as np

from memorize_jax.geometry import JointGeometry, LayerParticipation, ManifoldGeometry
from memorize_jax.geometry.participation import ParticipationRatio
from memorize_jax.geometry.result import NAMES
from memorize_jax.own_activations.analysis import Analysis


def recording(num_trials=12, seed=0):
    """Two areas [trials, units] and [trials, units, bins], and the labels 2, 5, 7 of the trials."""
    rng = np.random.default_rng(seed)
    labels = np.array([2, 5, 7])[np.arange(num_trials) % 3]
    return {"V4": rng.normal(size=(num_trials, 5)), "IT": rng.normal(size=(num_trials, 4, 3))}, labels


def analysis(labels=(3, 8), layers=("conv/1", "fc"), joint=True, **changes):
    """A result with numbers of all kinds in it, NaN included."""
    rng = np.random.default_rng(0)
    sizes = (len(layers), len(labels))

    def leaves(kind):
        for name in (field.name for field in dataclasses.fields(kind) if field.name not in NAMES):
            shape = sizes if name in kind.PER_MANIFOLD else sizes[:1]
            is_whole = name.startswith("num_ex") or name in ("status", "rank", "num_draws", "classes_per_draw")
            values = rng.integers(2, 9, shape).astype(np.int32) if is_whole else rng.random(shape, np.float32)
            yield name, np.zeros_like(values) if name == "status" else values

    named = {"layers": layers, "classes": labels}
    geometry = ManifoldGeometry(**dict(leaves(ManifoldGeometry)), **named)
    np.asarray(geometry.radius)[0, 0] = np.nan
    ratios = [
        ParticipationRatio(*rng.random((2, *shape), np.float32), np.ones(shape, np.int32))
        for shape in (sizes[:1], sizes)
    ]
    rows = {label: np.arange(place, 10, 2 + place) for place, label in enumerate(labels)}
    fields = {
        "geometry": geometry,
        "joint": JointGeometry(**dict(leaves(JointGeometry)), **named) if joint else None,
        "participation": LayerParticipation(*ratios),
        **{"layers": layers, "seed": 4, "kappa": 0.5, "indices": rows, "taken": "2 of the <3> examples"},
        "options": {"num_draws": 7, "pool": {"*": "mean"}},
        "versions": {"memorize_jax": "0.0.1"},
    }
    return Analysis(**fields | changes)
