"""Takes a few training images out of a run, with the labels they have and the labels they were given.

    python -m experiments.examples --workdir=runs/mine

Writes results/examples.csv and figures/fig1a.svg in the run's folder; for an ensemble, the table of all of its seeds.
"""

import numpy as np

from memorize_jax.measurements.measurement import Measurement, Table
from memorize_jax.storage.tables import EXAMPLES

MEANINGS = {"group": "unpermuted or permuted, by whether the label of the example was among those permuted"}


def _obstacle(config, splits=None):
    if splits is None or (splits.train.images.dtype == np.uint8 and splits.train.images.ndim == 4):
        return ""
    return f"the examples of data set {config.dataset} are not images of whole numbers from 0 to 255"


MEASUREMENT = Measurement(
    name="examples",
    summary="A few training images with their true and assigned labels (figure 1A)",
    room=__name__,
    tables={"examples": Table(EXAMPLES, text=frozenset({"group", "pixels"}), meanings=MEANINGS)},
    obstacle=_obstacle,
    # Reading the data, no network.
    cost=lambda work: (1e-9 * work.data_bytes, 3.0 * work.data_bytes),
)
