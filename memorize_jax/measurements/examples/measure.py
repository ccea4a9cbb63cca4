"""Random unpermuted and permuted training examples of a run."""

import jax
import numpy as np

from memorize_jax.figures.images import encode_image
from memorize_jax.keys import stream
from memorize_jax.measurements.measurement import Work
from memorize_jax.runs.run import Run

SHOWN = 8


def plan(run: Run) -> Work:
    """Takes the first examples of both groups in a random order."""
    images, labels, seed = run.splits.train.images, run.labels, run.config.seed
    key = np.asarray(jax.random.key_data(stream(seed, "shown examples"))).ravel()
    order = np.random.default_rng(key).permutation(len(images))

    def rows(group):
        return [_row(example) | {"group": group} for example in order[is_in[group][order]][:SHOWN]]

    def _row(example):
        return {
            "seed": seed,
            "example": int(example),
            "true": int(labels.true[example]),
            "assigned": int(labels.assigned[example]),
            **encode_image(images[example]),
        }

    is_in = {"unpermuted": ~labels.is_permuted, "permuted": labels.is_permuted}
    return Work(list(is_in), rows, reads=lambda unit: ())
