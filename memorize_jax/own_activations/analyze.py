"""The one call: activations and labels in, the geometry of all layers out."""

import warnings

import jax

from memorize_jax.geometry.points import as_labels
from memorize_jax.memory import check_fits
from memorize_jax.own_activations.analysis import Analysis
from memorize_jax.own_activations.arrays import read_layers
from memorize_jax.own_activations.examples import choose_examples, count_examples
from memorize_jax.own_activations.measure import measure_rows


def analyze(
    activations,
    labels,
    *,
    seed: int = 0,
    examples_per_class: int | None = None,
    max_classes: int | None = None,
    unequal: str = "mask",
    num_draws: int = 300,
    kappa: float = 0.0,
    joint_draws: int = 200,
    **options,
) -> Analysis:
    """Measures mean-field and joint geometry of activations, whatever framework they come from.

    Args:
      activations: name -> array [n, ...] per layer, in order, or one array [n, ...]; anything NumPy can read, and
        PyTorch tensors, of any kind of real numbers.
      labels: [n] integers.
      seed: of the examples chosen and the draws.
      examples_per_class: M, of every class; by default as many as each class has, `MOST_EXAMPLES` at most.
      max_classes: use at most this many classes.
      unequal: what happens without M to classes of unequal size: "mask", each is measured on the examples it has, or
        "subsample", all on as many as the smallest has.
      num_draws: Gaussian draws per manifold.
      kappa: margin.
      joint_draws: Gaussian draws of the joint geometry; 0 measures none.
      **options: of `geometry.layer_geometry`.

    Warns:
      UserWarning: as both geometries do; also where no class has more than one example.

    Raises:
      ValueError: activations that are no real numbers, labels that are no integers, or both that do not match; too few
        examples or classes; NaN or infinite values in any row.
    """
    labels = as_labels(labels)
    layers = read_layers(activations, len(labels))
    examples = count_examples(labels, examples_per_class=examples_per_class, max_classes=max_classes, unequal=unequal)
    row_bytes = sum(values.itemsize * values.shape[1] for values in layers.values())
    needed = 2 * examples.num_rows * row_bytes
    # Once as they are, once as they are measured; asked before jax takes memory of its own.
    check_fits("all layers' chosen rows", needed, "lower examples_per_class, or give fewer layers")
    key = jax.random.key(seed)
    indices, there, taken = choose_examples(examples, key)
    if there.max() == 1:
        warnings.warn("every class has a single example: there are no manifolds, only points", stacklevel=2)
    options |= {"num_draws": num_draws, "kappa": kappa, "joint_draws": joint_draws}
    found = measure_rows(layers, indices, key=key, **options)
    return Analysis(*found, tuple(layers), seed, kappa, indices, taken)
