"""The programs by which layers are decoded on an accelerator."""

import jax.numpy as jnp

from benchmarks.lowered.program import Program, array
from memorize_jax.measurements.decoding import grams, linear, spectra, subspaces


def decoding(num_classes: int, num_examples: int, num_features: int, num_components: int) -> list[Program]:
    """Gram matrices of the classes, leading directions, scores.

    Args:
      num_examples: of a batch.
      num_features: of the layer.
      num_components: directions that are searched in each class.
    """
    gram, block = array(num_features, num_features), array(num_features, num_components)
    rows, x = array(num_classes, num_examples, num_features), array(num_examples, num_features)
    directions = array(num_classes * num_components, num_features)
    owner, number = array(num_classes * num_components, dtype=jnp.int32), array(num_classes, dtype=jnp.int32)
    small, left = array(num_components, num_components), array(num_examples, num_components)
    classes = (array(num_classes, *gram.shape), rows)
    scored = (directions, (owner, owner), (number, number), x)
    absent = array(num_classes, dtype=bool)
    listed = {
        "grams:_accumulate": (grams._accumulate, classes),
        "spectra:_random_range": (lambda gram: spectra._random_range(gram, num_components), (gram,)),
        "spectra:_multiply": (spectra._multiply, (gram, block)),
        "spectra:_restrict": (spectra._restrict, (gram, block)),
        "spectra:_rotate": (spectra._rotate, (block, small)),
        "spectra:_right_vectors": (spectra._right_vectors, (x, left)),
        "linear:_linear_scores": (linear._linear_scores, (array(num_classes, num_features), absent, x)),
        "subspaces:nearest": (subspaces.nearest, (array(2, num_examples, num_classes),)),
        "subspaces:_scores": (subspaces._scores, scored),
    }
    return [Program(f"decoding: {name}", f"measurements.decoding.{name}", *own) for name, own in listed.items()]
