"""What the report says of drift, of seeds that lack some of it."""

import pytest

from memorize_jax.measurements.collapse.section import SECTION
from memorize_jax.pages.page import fill
from tests.figures.invented import THREE, changed

DRIFT = THREE.tables["collapse"]


def lacking(where):
    """The ensemble without the drift of these rows, and the words on it."""
    study = changed(THREE, collapse=DRIFT.assign(drift=DRIFT["drift"].mask(DRIFT.eval(where))))
    facts = SECTION.facts(study)
    return facts, "" if facts is None else " ".join(fill(SECTION.words, study=study, facts=facts).split())


def test_drift_is_a_mean_over_the_seeds_that_have_it_in_all_layers_and_the_words_count_them():
    """Invented is number / 6 * epoch / 20, at the best epoch 2 + seed: of linear1 in all seeds 3 / 120."""
    whole, said = lacking("seed == 9")
    assert (whole["best_early"], whole["best_late"]) == pytest.approx((3 / 120, 5 * 3 / 120))
    assert "seeds" not in said
    # Seed 2 lacks a late layer, and then is in the mean of no other.
    facts, said = lacking("seed == 2 and layer == 'linear5' and epoch == 18")
    assert (facts["best_early"], facts["final_early"]) == pytest.approx((2.5 / 120, 16.5 / 120))
    assert (facts["best_late"], facts["final_late"]) == pytest.approx((5 * 2.5 / 120, 5 * 16.5 / 120))
    assert "(mean of the 2 of 3 seeds with a drift in all of these layers)" in said
    assert lacking("seed > 0 and layer == 'linear1'")[0]["best_early"] == pytest.approx(2 / 120)
    assert lacking("layer == 'linear1'")[0] is None
