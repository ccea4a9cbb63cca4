import importlib.metadata
import sys
import types
import warnings

import numpy as np
import pytest

from memorize_jax.measurements.umap import embedding

POINTS = np.random.default_rng(0).normal(size=(30, 5))


@pytest.fixture
def asked(monkeypatch):
    """Stands in for umap-learn; returns what it was asked."""
    asked = {}

    def reducer(**options):
        def fit_transform(points):
            warnings.warn_explicit("Graph is not fully connected", UserWarning, "umap.py", 1, module="umap.spectral")
            asked.update(options, dtype=points.dtype)
            return points[:, :2]

        return types.SimpleNamespace(fit_transform=fit_transform)

    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=reducer))
    monkeypatch.setattr(embedding, "umap_version", lambda: "0")
    return asked


def test_the_seed_is_fixed_and_there_are_no_more_neighbors_than_points(asked):
    places = embedding.embed(POINTS, seed=3)
    assert places.shape == (30, 2)
    assert (asked["random_state"], asked["n_jobs"], asked["n_neighbors"]) == (3, 1, 15)
    assert asked["dtype"] == np.float32
    embedding.embed(POINTS[:6], seed=3)
    assert asked["n_neighbors"] == 5


@pytest.mark.parametrize(
    ("points", "message"),
    [(POINTS[:3], "at least 4 points to embed, got 3"), (np.full((5, 2), np.nan), "expected finite points")],
)
def test_points_that_cannot_be_embedded(asked, points, message):
    with pytest.raises(ValueError, match=message):
        embedding.embed(points, seed=0)


def test_without_umap_learn_the_extra_is_named(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(ValueError, match=r"needs umap-learn: pip install 'memorize_jax\[umap\]'"):
        embedding.embed(POINTS, seed=0)
