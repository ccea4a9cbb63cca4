"""Settings to start from, by name; and those that a run has noted."""

import dataclasses

from memorize_jax.presets import convolutional, decoding, double_descent, laptop
from memorize_jax.presets.preset import Preset, noted_preset

__all__ = ["PRESETS", "Preset", "get_preset", "noted_preset"]

PRESETS = laptop.PRESETS | convolutional.PRESETS | double_descent.PRESETS | decoding.PRESETS


def get_preset(name: str) -> Preset:
    """Looks up a preset; raises ValueError that names those there are."""
    if name not in PRESETS:
        raise ValueError(f"expected preset to be one of {', '.join(PRESETS)}, got {name!r}")
    return dataclasses.replace(PRESETS[name], name=name)
