"""In which layer the report says that the units are, where layers have equal shares."""

import pytest

from memorize_jax.measurements.flipping.section import SECTION
from memorize_jax.pages.page import fill
from tests.figures.invented import RUN, changed

BEFORE = {f"{group}_accuracy{when}": 0.9 for group in ("permuted", "unpermuted") for when in ("", "_before")}


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((0.4, 0.3, 0.1, 0.1, 0.1), "40.0 % are in linear1, more than in any other layer."),
        ((0.3, 0.1, 0.3, 0.2, 0.1), "30.0 % are in each of linear1, linear3, more than in any other layer."),
        ((0.2, 0.2, 0.2, 0.2, 0.2), "20.0 % are in each of linear1, linear2, linear3, linear4, linear5."),
    ],
)
def test_no_layer_has_more_than_one_that_has_as_much(shares, said):
    layers = RUN.tables["flipping_layers"]
    own = layers.assign(share=layers["layer"].map(dict(zip(RUN.layers, shares, strict=False))))
    study = changed(RUN, flipping=RUN.tables["flipping"].assign(**BEFORE), flipping_layers=own)
    words = fill(SECTION.words, study=study, facts=SECTION.facts(study)).replace("\N{NO-BREAK SPACE}", " ")
    assert f"Of the units that permuted examples hang on {said}" in words
