"""Compares mean-field and joint capacity with simulated capacity: the same manifolds, layer by layer, four groups.

    python -m experiments.capacity_check --workdir=runs/mine --capacity_epochs=best,final --capacity_repetitions=3

Writes results/capacity_check.csv and figures/fig1b.svg in the run's folder; for an ensemble, over all of its seeds. A
simulation looks for the number of random features at which half of random labelings of the classes are separable:
its cost grows with the square of the number of classes, so --capacity_classes limits them.
"""

import dataclasses

from memorize_jax.analysis.settings import MANIFOLDS
from memorize_jax.config import Settings, setting
from memorize_jax.data import GROUPS
from memorize_jax.measurements import costs
from memorize_jax.measurements.measurement import Measurement, Table
from memorize_jax.storage.tables import CAPACITY_CHECK


@dataclasses.dataclass(frozen=True)
class CapacityCheckSettings(Settings):
    """Settings of the comparison; the manifolds are those of the geometry."""

    capacity_epochs: str = setting(
        "best,final", "Epochs to measure: comma-separated numbers and best, final, all, log."
    )
    capacity_classes: int | None = setting(
        None, "Simulate at most this many classes, drawn from the seed; None is all of the geometry's.", least=2
    )
    capacity_dichotomies: int = setting(
        40, "Random labelings tested at each number of features that is tried.", least=2
    )
    capacity_repetitions: int = setting(1, "Independent simulations, whose mean is reported.", least=1)


MEANINGS = {
    "mean_field_capacity": "mean-field capacity α in classes per feature, without margin (A.1.1); NaN if a class has "
    "none",
    "mean_field_standard_error": "standard error of mean_field_capacity from the finite number of draws, in classes "
    "per feature",
    "simulated_capacity": "P/n* in classes per feature, n* the number of random features at which half of random "
    "labelings of the classes are separable (A.1.2); the mean over the repetitions, or a bound",
    "simulated_standard_error": "standard error of simulated_capacity, in classes per feature; NaN for a bound",
    "bound": "0 if simulated_capacity is an estimate; -1 if the capacity lies below it, as less than half separate "
    "even with all dimensions of the points; 1 if it lies above it, as one feature separates half",
    "undecided": "share (0 to 1) of the labelings tested that were neither separated nor shown to be inseparable; they "
    "count as inseparable",
    "num_inputs": "N, the features of the layer",
    "num_dichotomies": "random labelings tested at each number of features that was tried",
    "num_repetitions": "independent simulations; simulated_capacity is their mean",
    "joint_standard_error": "standard error of joint_capacity from the finite number of draws, in classes per feature",
}
# Of one simulated capacity of 300 points.
SEARCH_SECONDS = 0.3


def _cost(work, settings, geometry):
    epochs = work.count(settings.capacity_epochs)
    limits = (work.num_classes, geometry.max_classes, settings.capacity_classes)
    classes = min(limit for limit in limits if limit)
    search = SEARCH_SECONDS * (classes * (geometry.examples_per_class or 0) / 300) ** 2
    searches = epochs * len(GROUPS) * (work.num_layers + 1) * settings.capacity_repetitions
    seconds = epochs * costs.geometry_seconds(work, geometry, classes) + searches * search
    return seconds, costs.geometry_bytes(work, geometry)


MEASUREMENT = Measurement(
    name="capacity_check",
    summary="Mean-field, joint and simulated capacity of the same manifolds (figure 1B)",
    room=__name__,
    settings=CapacityCheckSettings,
    reads=("geometry",),
    reads_flags=("examples_per_class", "num_draws", "num_center_components", "joint_draws"),
    # Simulations have no margin.
    affected_by=(*MANIFOLDS, "num_draws", "num_center_components", "compat", "joint_draws"),
    takes_rows_of=("geometry",),
    tables={
        "capacity_check": Table(
            CAPACITY_CHECK,
            text=frozenset({"layer", "group"}),
            added=frozenset({"joint_capacity", "joint_standard_error", "joint_classes", "joint_status"}),
            meanings=MEANINGS,
        )
    },
    cost=_cost,
)
