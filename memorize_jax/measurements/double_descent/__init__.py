"""Networks of growing width: accuracy and the geometry of the test manifolds by model size.

`python -m experiments.double_descent` trains them. Each run has a table of its own; the study puts them together.
"""

from memorize_jax.analysis.examples import choose_examples
from memorize_jax.analysis.settings import MANIFOLDS
from memorize_jax.measurements.measurement import Measurement, Table
from memorize_jax.storage.tables import DOUBLE_DESCENT, JOINT, RESAMPLED

MEANINGS = {
    "width": "width of the network, which scales the units or channels of its layers",
    "num_parameters": "parameters of the network that are trained",
    "moment": "best, the epoch of highest test accuracy, or final, the last one",
    "layer": "name of the last hidden layer, whose test manifolds are measured",
}


def _check(config, splits, labels, geometry):
    choose_examples(splits, labels, geometry, seed=config.seed, names=["test"])


MEASUREMENT = Measurement(
    name="double_descent",
    summary="Accuracy and geometry of test manifolds by width (figures 4C to 4E)",
    room=__name__,
    of_any_network=False,
    reads=("geometry",),
    affected_by=(*MANIFOLDS, "num_draws", "kappa", "num_center_components", "compat", "joint_draws", "example_repeats"),
    tables={
        "double_descent": Table(
            DOUBLE_DESCENT,
            text=frozenset({"moment", "layer"}),
            added=frozenset({*JOINT, *RESAMPLED}),
            meanings=MEANINGS,
        )
    },
    axes=("width",),
    check=_check,
)
