import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from memorize_jax.explorer.places import thinned, with_cells

EPOCHS = st.lists(st.integers(0, 2000), min_size=1, max_size=30, unique=True)


def symlog(values):
    return np.sign(values) * np.log1p(np.abs(values))


@given(EPOCHS)
def test_cells_leave_no_gap_and_hold_their_epoch(epochs):
    steps = sorted(epochs)
    rows = with_cells(pd.DataFrame({"epoch": epochs}), steps).sort_values("epoch")
    assert (rows["start"] < rows["epoch"]).all()
    assert (rows["epoch"] < rows["end"]).all()
    np.testing.assert_allclose(rows["start"].to_numpy()[1:], rows["end"].to_numpy()[:-1])
    middles = (symlog(rows["epoch"].to_numpy()[1:]) + symlog(rows["epoch"].to_numpy()[:-1])) / 2
    np.testing.assert_allclose(symlog(rows["start"].to_numpy()[1:]), middles, atol=1e-9)
    assert rows["at"].tolist() == rows["nearest"].tolist() == list(range(len(steps)))


def test_what_was_measured_between_two_steps_stands_at_none_and_leads_to_the_nearest():
    rows = with_cells(pd.DataFrame({"epoch": [0, 5, 40, 100]}), [0, 50, 100])
    assert np.isnan(rows["at"]).tolist() == [False, True, True, False]
    # On the axis of the picture epoch 5 is log 6 from 0 and log 8.5 from 50.
    assert rows["nearest"].tolist() == [0, 0, 1, 2]


@given(EPOCHS, st.integers(2, 40))
def test_few_epochs_keep_the_ends(epochs, most):
    found = thinned(epochs, most)
    assert set(found) <= set(epochs)
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (min(epochs), max(epochs))
    assert len(found) <= most
    if len(epochs) <= most:
        assert found == sorted(epochs)


def test_few_epochs_are_even_on_the_axis():
    found = thinned(range(1001), 8)
    steps = np.diff(symlog(np.array(found, float)))
    assert steps.max() < 1.6 * steps.min()
