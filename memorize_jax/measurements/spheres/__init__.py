"""Takes some coordinates of two of the synthetic classes out of a run: what can be told apart on which axis.

    python -m experiments.spheres --workdir=runs/spheres

Writes results/spheres.csv and figures/figa3.svg in the run's folder; for an ensemble, the table of all of its seeds.
"""

from memorize_jax.measurements.measurement import Measurement, Table
from memorize_jax.storage.tables import SPHERES

DATASETS = ("spheres", "spheres_small")


MEANINGS = {
    "label": "class of the example, 0 or 1, whose centers are opposite each other",
    "axis_0": "coordinate on the axis of both centers, which lie at 1 (class 0) and -1 (class 1)",
    **{f"axis_{axis}": f"coordinate on axis {axis} of the data, in the same unit" for axis in range(1, 5)},
}


def _obstacle(config, splits=None):
    return "" if config.dataset in DATASETS else f"its data set is {config.dataset}, not {' or '.join(DATASETS)}"


MEASUREMENT = Measurement(
    name="spheres",
    summary="Coordinates of two classes of the synthetic spheres (figure A.3)",
    room=__name__,
    tables={"spheres": Table(SPHERES, meanings=MEANINGS)},
    obstacle=_obstacle,
    # Reading the data, no network.
    cost=lambda work: (1e-9 * work.data_bytes, 3.0 * work.data_bytes),
)
