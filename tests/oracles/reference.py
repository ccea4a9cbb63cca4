"""Reads the reference numbers in third_party/."""

import json
import pathlib

import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parents[2] / "third_party" / "mftma_reference"
SETS = ("digits", "few_features", "gaussian", "lowrank_centers", "spheres")
# One set stands for all in the quick tests; CI compares with all of them, at full optimization.
ONE_QUICKLY = tuple(pytest.param(name, marks=() if name == "digits" else pytest.mark.slow) for name in SETS)


def arrays():
    """The stored arrays by name."""
    return np.load(FOLDER / "mftma_reference.npz", allow_pickle=False)


def fixed_components():
    """Results with K forced to 1, 2, 3, by set and K."""
    return json.loads((FOLDER / "mftma_reference_fixed_k.json").read_text())


def points(name):
    """The points of a set as [P, M, N]."""
    return arrays()[f"{name}/X"].transpose(0, 2, 1)


def mnist1d(name):
    """The stored examples of the package mnist1d of one of its data sets."""
    stored = np.load(FOLDER.parent / "mnist1d_reference" / "mnist1d_reference.npz", allow_pickle=False)
    return {key: stored[f"{name}/{key}"] for key in ("sizes", "labels", "rows", "examples")}
