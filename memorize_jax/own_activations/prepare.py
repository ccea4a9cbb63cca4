"""Everything before anything is drawn or measured: layers, labels, and which examples take part."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Shaped

from memorize_jax.memory import check_fits
from memorize_jax.own_activations.arrays import name_layers, read_layers
from memorize_jax.own_activations.examples import Examples, check_choice, count_examples
from memorize_jax.own_activations.files.read import read_file
from memorize_jax.own_activations.labels import flat_labels, read_labels, read_mask
from memorize_jax.own_activations.missing import without_missing
from memorize_jax.own_activations.pooling import read_tokens


class Prepared(NamedTuple):
    """What can be measured, once or many times.

    Attributes:
      layers: name -> [n, d], in order; rows that do not take part are still there.
      examples: those that take part, and how many are to be taken.
      left_out: says how many examples do not take part, and why; "" if all do.
    """

    layers: dict[str, Shaped[np.ndarray, "n _"]]
    examples: Examples
    left_out: str


def prepare(
    activations: Any,
    labels: Any = None,
    *,
    seed: int = 0,
    mask: Any = None,
    nan: str = "drop",
    pool: str | Mapping[str, str] = "flatten",
    tokens: Any = None,
    examples_per_class: int | None = None,
    max_classes: int | None = None,
    unequal: str = "mask",
) -> Prepared:
    """Reads activations, labels and mask; arguments, warnings and errors are those of `analyze`."""
    check_choice(seed, examples_per_class, max_classes, unequal)
    if isinstance(activations, (str, os.PathLike)):
        named = labels if isinstance(labels, str) else "labels" if labels is None else None
        count = None if named else len(flat_labels(labels))
        activations, noted = read_file(activations, named, None, trial_axis=None, count=count)
        labels = noted if named else labels
    labels, given = flat_labels(labels), name_layers(activations)
    is_asked = read_mask(mask, given, len(labels))
    tokens = read_tokens(tokens, len(labels), is_asked)
    layers = read_layers(given, len(labels), pool=pool, seed=seed, tokens=tokens)
    numbered = read_labels(labels, is_asked)
    is_taken = without_missing(layers, is_asked, nan)
    sizes = {"examples_per_class": examples_per_class, "max_classes": max_classes, "unequal": unequal}
    examples = count_examples(numbered, is_taken, **sizes)
    row_bytes = sum(values.itemsize * values.shape[1] for values in layers.values())
    needed = 2 * examples.num_rows * row_bytes
    # Once as they are, once as they are measured; asked before jax takes memory of its own.
    check_fits("all layers' chosen rows", needed, "lower examples_per_class, or give fewer layers")
    reasons = {"by mask": int(np.sum(~is_asked)), "for NaN": int(np.sum(is_asked & ~is_taken))}
    left_out = "".join(f"; {count} examples left out {why}" for why, count in reasons.items() if count)
    return Prepared(layers, examples, left_out)
