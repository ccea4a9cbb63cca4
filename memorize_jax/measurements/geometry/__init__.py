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
    tables={"geometry": Table(GEOMETRY, text=frozenset({"layer", "group"}), added=frozenset(ADDED))},
    check=_check,
    cost=_cost,
)
