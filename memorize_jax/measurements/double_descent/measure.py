"""The test manifolds of one network at its last hidden layer: a unit of work for the best and the final epoch."""

import jax
import numpy as np

from memorize_jax.analysis.examples import choose_repeatedly
from memorize_jax.analysis.manifold_rows import geometry_rows, warn_of, with_example_spread
from memorize_jax.analysis.manifolds import compiled_network_geometries
from memorize_jax.analysis.settings import GeometrySettings
from memorize_jax.keys import stream
from memorize_jax.measurements.measurement import Work
from memorize_jax.runs.run import Run
from memorize_jax.storage.tables import DOUBLE_DESCENT

# Columns of metrics.csv that go into the table.
ACCURACIES = tuple(column for column in DOUBLE_DESCENT if column.endswith("_accuracy"))


def plan(run: Run, geometry: GeometrySettings) -> Work:
    """Measures both geometries of the test examples; which epochs the settings choose does not matter."""
    name, number = list(run.layers.items())[-2]
    seed, splits = run.config.seed, run.splits
    choices = choose_repeatedly(splits, run.labels, geometry, seed=seed, names=["test"])["test"]
    key, options = stream(seed, "geometry"), geometry.options(vary_components=False)

    def rows(unit):
        moment, epoch = unit
        variables = run.network(epoch)
        accuracies = run.metrics.set_index("epoch").loc[epoch]
        about = {
            "seed": seed,
            "width": run.config.width,
            "num_parameters": sum(np.size(leaf) for leaf in jax.tree.leaves(variables["params"])),
            "moment": moment,
            "epoch": epoch,
            "kappa": geometry.kappa,
            **{column: float(accuracies[column]) for column in ACCURACIES},
        }
        repeats = []
        for chosen in choices:
            images = splits.test.images[chosen]
            found = compiled_network_geometries(
                run.model(), variables, images, run.statistics, key, layers=(name,), options=options
            )
            if not repeats:
                warn_of(splits, run.labels, found, epoch, "test", chosen)
            repeats.append(geometry_rows(found.mean_field, (name,), about, joint=found.joint, numbers=(number,)))
        (row,) = with_example_spread(repeats)
        return [{column: row[column] for column in DOUBLE_DESCENT}]

    return Work([("best", run.best_epoch), ("final", run.final_epoch)], rows, lambda unit: [unit[1]])
