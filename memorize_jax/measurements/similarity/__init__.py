"""Measures how alike layers place the same examples, by centered kernel alignment: over epochs, layers and runs.

    python -m experiments.similarity --workdir=runs/mine
    python -m experiments.similarity --workdir=runs/mine --other=runs/clean

Writes results/similarity.csv in the run's folder: every layer against itself at the best epoch, all layers against each
other at the best and at the final epoch, and with --other every layer against the same one of another run on the same
data, e.g. one that was trained with --permuted_fraction=0. 1 is alike up to rotation and scale.
"""

import dataclasses

from memorize_jax.analysis.products import BLOCK_BYTES
from memorize_jax.config import Settings, setting
from memorize_jax.measurements.measurement import Measurement, Table

# Names of runs in the table.
THIS, OTHER = "this", "other"
# Restored examples are the permuted ones: without labels there is no difference.
GROUPS = ("unpermuted", "permuted", "test")
COLUMNS = (
    *("seed", "layer_a", "epoch_a", "run_a", "layer_b", "epoch_b", "run_b", "group", "cka", "cka_debiased"),
    *("layer_number_a", "layer_number_b", "num_examples", "permuted_fraction_b", "seed_b", "status", "own_stage"),
)
MEANINGS = {
    "layer_a": "name of the first layer",
    "epoch_a": "training epoch of the first layer's network",
    "run_a": f"run of the first layer, always {THIS}",
    "layer_b": "name of the second layer",
    "epoch_b": "training epoch of the second layer's network",
    "run_b": f"run of the second layer: {THIS}, or {OTHER}, the one that --other named",
    "group": "examples that the layers show: unpermuted, permuted or test; restored ones are the permuted ones, as "
    "labels do not matter",
    "cka": "centered kernel alignment (0 to 1) of the two layers; 1 is alike up to rotation and scale; near 1 for any "
    "layers of many more features than there are examples; NaN if points are not finite or all coincide",
    "cka_debiased": "the same without bias: 1 is alike, 0 on average where nothing is in common, so that it may be "
    "negative; NaN if status is not 0",
    "layer_number_a": "row of the first layer in the table of its network; 0 is the input",
    "layer_number_b": "row of the second layer in the table of its network; 0 is the input",
    "num_examples": "examples that the layers are compared on",
    "permuted_fraction_b": "share (0 to 1) of the training labels that were permuted in the second layer's run",
    "seed_b": "seed of the second layer's run",
    "status": "0, or the sum of what is true: 1 points are not finite; 32 the checkpoint is damaged or missing; 256 "
    "all points of a layer coincide; 512 fewer than four examples; 1024 the variance, estimated without bias, is zero "
    "within rounding",
    "own_stage": f"of rows about the {OTHER} run: best or final, as both networks are those of their own run's best or "
    "final epoch; empty in all others",
}
# Of a product and a sum of inner products, and of what is done to every inner product of a layer afterward.
PRODUCT_SECONDS, ENTRY_SECONDS = 3e-11, 4e-9


@dataclasses.dataclass(frozen=True)
class SimilaritySettings(Settings):
    """Settings of the similarity of layers."""

    similarity_epochs: str = setting(
        "log,best,final",
        "Epochs whose layers are compared with those of the best one: comma-separated numbers and best, final, all, "
        "log. All pairs of layers, and those of another run, are compared at the best and the final one of them.",
    )
    similarity_examples: int = setting(
        500, "Examples of each group, at most, drawn from the seed; memory grows with their square.", least=4
    )
    other: str | None = setting(
        None,
        "Folder of another run on the same data whose layers are compared too, e.g. one without permuted labels; of an "
        "ensemble the run of the same seed is taken.",
    )


def _cost(work, settings):
    epochs = work.count(settings.similarity_epochs) + (2 if settings.other else 0)
    layers, examples = len(work.widths), min(settings.similarity_examples, work.num_examples // 2)
    entries = examples**2 * layers
    seconds = len(GROUPS) * (examples**2 * sum(work.widths) * PRODUCT_SECONDS + entries * ENTRY_SECONDS)
    seconds += work.forward_seconds * len(GROUPS) * examples / work.num_examples
    # Three networks' Gram matrices are held, and those in the making.
    held = 4 * entries * (3 * len(GROUPS) + 3)
    return epochs * seconds, held + min(2 * BLOCK_BYTES, 8 * sum(work.widths) * examples) + 2 * work.network_bytes


MEASUREMENT = Measurement(
    name="similarity",
    summary="Similarity of layers over epochs, between layers and between runs (CKA)",
    room=__name__,
    of_final=True,
    settings=SimilaritySettings,
    other_runs=lambda settings: (settings.other,) if settings.other else (),
    tables={
        "similarity": Table(
            COLUMNS,
            frozenset({"layer_a", "run_a", "layer_b", "run_b", "group", "own_stage"}),
            added=frozenset({"own_stage"}),
            meanings=MEANINGS,
        )
    },
    cost=_cost,
)
