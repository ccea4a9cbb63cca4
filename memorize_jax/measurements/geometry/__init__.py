"""Measures the geometry of the class manifolds, layer by layer, for the four groups of examples.

    python -m experiments.geometry --workdir=runs/mine --geometry_epochs=best,final

Writes results/geometry.csv in the run's folder. Activations of a network from any framework can be measured instead:

    python -m experiments.geometry --points=activations.npz --workdir=results/mine

with the arrays `labels` [n] and `activations` [n, ...], or one array per layer.
"""

from memorize_jax.analysis.examples import choose_examples
from memorize_jax.analysis.settings import GeometrySettings
from memorize_jax.measurements import costs
from memorize_jax.measurements.measurement import Measurement, Table
from memorize_jax.storage.tables import ADDED, GEOMETRY

TOGETHER = "all examples that stand for the classes of the group together, about their mean"
BY_CLASS = "the examples that stand for one class about their mean, the mean over the classes"
MEANINGS = {
    "group": "examples that the row is about: unpermuted; permuted (under their assigned labels); restored (the "
    "permuted ones under their true labels); test; all (of activations from a file, --points)",
    "residual_correlation": "mean absolute cosine (0 to 1) between the centers of two classes after shared directions "
    "are removed",
    "least_retained_center_norm": "smallest share (0 to 1) of its length that the center of a class keeps when shared "
    "directions are removed; NaN if a center is the mean of all points",
    "largest_kkt_residual": "largest distance, over classes and draws, by which the solution of a quadratic program "
    "misses optimality, in standard deviations of the Gaussian vector T; 0 is exact",
    "capacity_fewer_components": "capacity with max(1, round(P/20)) center directions fewer removed than K, or with "
    "none, in classes per feature; NaN where K is 0",
    "capacity_more_components": "capacity with max(1, round(P/20)) center directions more removed than K, or as many "
    "as there can be, in classes per feature; NaN where K is the most there can be",
    "participation_ratio": f"participation ratio (Σλ)²/Σλ² in directions, of {TOGETHER}; below the number of points",
    "participation_ratio_corrected": "participation ratio without the bias of few points, in directions, of "
    f"{TOGETHER}; NaN where it cannot be estimated",
    "class_participation_ratio": f"participation ratio (Σλ)²/Σλ² in directions, of {BY_CLASS}; below M",
    "class_participation_ratio_corrected": "participation ratio without the bias of few points, in directions, of "
    f"{BY_CLASS}; NaN if it cannot be estimated for a class",
    "participation_status": "0, or the sum of why participation ratios are NaN: 1 points are not finite; 32 the "
    "checkpoint is damaged or missing; 256 all points coincide; 512 too few points; 1024 the variance, estimated "
    "without bias, is zero within rounding",
    "two_nn_dimension": "dimension by the distances of each point of the group to its two nearest neighbors (Facco et "
    "al. 2017); NaN unless --two_nn asked for it",
}


def _check(config, splits, labels, settings):
    choose_examples(splits, labels, settings, seed=config.seed)


def _cost(work, settings):
    epochs = work.count(settings.geometry_epochs) * settings.example_repeats
    return epochs * costs.geometry_seconds(work, settings), costs.geometry_bytes(work, settings)


MEASUREMENT = Measurement(
    name="geometry",
    summary="Capacity, radius and dimension of class manifolds, layer by layer (figures 3, A.4 to A.7)",
    room=__name__,
    settings=GeometrySettings,
    tables={"geometry": Table(GEOMETRY, frozenset({"layer", "group"}), frozenset(ADDED), MEANINGS)},
    check=_check,
    cost=_cost,
)
