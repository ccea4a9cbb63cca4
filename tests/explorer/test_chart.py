"""The chart of the moving picture: what it is drawn from, and how."""

import numpy as np
import pandas as pd

from memorize_jax.explorer.chart import records, specification
from memorize_jax.explorer.explored import explored
from memorize_jax.explorer.layout import LAYOUTS
from tests.figures.invented import RUN


def test_numbers_are_carried_with_five_digits_and_missing_ones_not_at_all():
    table = pd.DataFrame({"a": [1.23456789, np.nan, np.inf], "b": ["x", None, "y"], "c": [3, 4, 123456]})
    assert records(table) == [{"a": 1.2346, "b": "x", "c": 3}, {"c": 4}, {"b": "y", "c": 123460}]


def test_bars_of_equally_good_epochs_are_not_put_one_behind_the_other():
    """Of a layer that is as good put back to any of two epochs the bar would end at twice the accuracy."""
    rewound = specification(explored(RUN), LAYOUTS[0])["vconcat"][2]["hconcat"][1]
    (bars,) = [one for one in rewound["layer"] if one["mark"]["type"] == "bar"]
    assert bars["encoding"]["x"]["stack"] is None
