"""The one call: activations and labels in, the geometry of all layers out."""

import warnings
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from memorize_jax.compilation import kept_compiled
from memorize_jax.keys import GENERATOR
from memorize_jax.own_activations.analysis import Analysis
from memorize_jax.own_activations.examples import choose_examples, say_points
from memorize_jax.own_activations.measure import measure_rows
from memorize_jax.own_activations.prepare import prepare
from memorize_jax.own_activations.repeats import measure_repeats
from memorize_jax.whole import check_whole


def analyze(
    activations: Any,
    labels: Any = None,
    *,
    seed: int = 0,
    mask: Any = None,
    nan: str = "raise",
    pool: str | Mapping[str, str] = "flatten",
    tokens: Any = None,
    examples_per_class: int | None = None,
    max_classes: int | None = None,
    unequal: str = "mask",
    num_draws: int = 300,
    kappa: float = 0.0,
    joint_draws: int = 200,
    repeats: int = 1,
    **options: Any,
) -> Analysis:
    """Measures mean-field and joint geometry of activations, whatever framework they come from.

    Args:
      activations: name -> array [n, ...] per layer, in order, or one array [n, ...]; of NumPy, JAX or PyTorch (any
        device, bfloat16, with gradients), or anything NumPy can read, of any kind of real numbers. Batches [b, ...] may
        come as a list or tuple, rows as a list. Or a path, for `read_activations`.
      labels: [n] integers >= 0, text, or truth values: the classes, under their own names in the result. With a path:
        the name of the labels in the file, "labels" unless given.
      seed: of the examples chosen, the units sampled and the draws; an integer of 32 bits.
      mask: [n] booleans, which examples take part, or name of a layer -> [n]; all layers are measured on the examples
        that every mask has. Labels of the others may be anything; where some of them are NaN or NA, which makes floats
        of integers, whole floats are labels too.
      nan: "raise" refuses examples that have NaN in any unit of any layer; "drop" leaves them out, and warns of them.
      pool: how tokens [n, tokens, features] or maps (channels last; first in tensors of PyTorch) become a vector:
        "flatten", all units; "mean", over tokens or positions; "cls" and "last", the first and the last token;
        "sample:4096", so many units at random, the same of all examples. Or name or pattern of a layer -> pool. What
        `memorize_jax.torch.extract` returns of maps and convolutions is pooled there, where the axes are known.
      tokens: [n, tokens] of 0 and 1, as an attention mask has them: "mean", "cls" and "last" see no padding.
      examples_per_class: M, of every class; by default as many as each class has, `MOST_EXAMPLES` at most.
      max_classes: use at most this many classes.
      unequal: what happens without M to classes of unequal size: "mask", each is measured on the examples it has, or
        "subsample", all on as many as the smallest has.
      num_draws: Gaussian draws per manifold.
      kappa: margin.
      joint_draws: Gaussian draws of the joint geometry; 0 measures none.
      repeats: R choices of examples, each with draws of its own, and as many or half as many parts of the examples, for
        intervals of all measures; the first is what is measured without them. 20 are enough.
      **options: of `geometry.layer_geometry`.

    Warns:
      UserWarning: as both geometries do; where no class is measured on more than one example; of examples with NaN; of
        arrays in a file that are no layers.

    Raises:
      ValueError: activations that are no real numbers, labels that are no classes, or both that do not match; too few
        examples or classes; infinite values; units that are NaN throughout; names the layer.
    """
    check_whole("repeats", repeats, least=1)
    sizes = {"examples_per_class": examples_per_class, "max_classes": max_classes, "unequal": unequal}
    read = {"seed": seed, "mask": mask, "nan": nan, "pool": pool, "tokens": tokens}
    layers, examples, left_out = prepare(activations, labels, **read, **sizes)
    key = jax.random.key(seed, impl=GENERATOR)
    indices, there, taken = choose_examples(examples, key)
    if said := say_points(np.array([len(rows) for rows in indices.values()]), there):
        warnings.warn(said, stacklevel=2)
    options |= {"num_draws": num_draws, "kappa": kappa, "joint_draws": joint_draws}
    again = None
    with kept_compiled():
        found = measure_rows(layers, indices, key=key, **options)
        if repeats > 1:
            choices = [choose_examples(examples, key, repeat=repeat).indices for repeat in range(repeats)]
            rows = {name: examples.rows[examples.codes == code] for code, name in enumerate(examples.names)}
            again = measure_repeats(layers, rows, choices, found, key=key, **options)
    asked = {**sizes, "nan": nan, "pool": pool, **options, "repeats": repeats}
    return Analysis(*found, tuple(layers), seed, kappa, indices, taken + left_out, asked, repeats=again)
