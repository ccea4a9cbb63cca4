"""What settings and a training set must be before anything is compiled for them."""

import dataclasses
from typing import Any

import jax
import numpy as np

from memorize_jax.config import RunConfig


def check_config(config: RunConfig) -> None:
    """Raises ValueError for settings that no run can have; dtype="float64" is for callers with JAX's 64-bit mode on."""
    if config.dtype == "float64":
        if jax.dtypes.canonicalize_dtype("float64") != "float64":
            raise ValueError(
                "expected JAX's 64-bit mode on for dtype float64, got it off: JAX_ENABLE_X64=1 turns it on"
            )
        config = dataclasses.replace(config, dtype="float32")
    config.validate()


def check_labels(labels: Any, shape: tuple[int, ...], num_classes: int) -> None:
    """Raises ValueError unless there is a class, 0 .. num_classes - 1, for each training example, of each seed."""
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu" or labels.shape != shape:
        raise ValueError(f"expected integer labels {list(shape)}, got {labels.dtype} {list(labels.shape)}")
    if wrong := [label for label in np.unique(labels) if not 0 <= label < num_classes]:
        raise ValueError(f"expected labels 0 to {num_classes - 1}, got {wrong[0]}")


def check_weights(weights: Any, shape: tuple[int, ...]) -> None:
    """Raises ValueError unless there is a finite weight >= 0 for each training example, or None for 1."""
    if weights is None:
        return
    weights = np.asarray(weights)
    if weights.shape != shape:
        raise ValueError(f"expected weights {list(shape)}, got {list(weights.shape)}")
    if weights.dtype.kind not in "fiub" or not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("expected finite weights >= 0, got others")
