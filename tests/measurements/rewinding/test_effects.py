import pandas as pd
import pytest

from memorize_jax.measurements.rewinding.effects import rewinding_effect
from memorize_jax.measurements.rewinding.sources import other_rows, own_rows

METRICS = pd.DataFrame({"epoch": [0, 1, 2], "test_accuracy": [0.1, 0.9, 0.5]})


def rewinding(shares):
    """Layers that win back these shares of the 0.4 that were lost, at epoch 1."""
    rows = []
    for number, (layer, share) in enumerate(shares.items(), 1):
        for epoch, accuracy in ((0, 0.2), (1, 0.5 + 0.4 * share), (2, 0.5)):
            rows.append(
                {"layer": layer, "layer_number": number, "num_layers": 1 + layer.count("+"), "rewind_epoch": epoch}
                | {"test_accuracy": accuracy}
            )
    return pd.DataFrame(rows)


def test_the_share_is_of_what_memorizing_cost():
    shares = {"conv1": 0.0, "conv2": 0.2, "conv3": 0.75, "linear4": 0.5, "conv3+linear4": 1.0}
    effect = rewinding_effect(rewinding(shares), METRICS, "test", "linear4")
    assert (effect.final, effect.peak) == (0.5, 0.9)
    assert {found.layer: found.share for found in effect.recoveries} == pytest.approx(shares)
    assert {found.rewind_epoch for found in effect.recoveries} == {1}
    assert (effect.early, effect.late) == (("conv1",), ("conv3",))
    assert effect.late_recovers
    assert not effect.early_recovers


@pytest.mark.parametrize(("first", "last"), [(0.5, 0.3), (0.0, 0.05)])
def test_late_layers_that_win_back_little_or_less_than_early_ones_do_not_recover(first, last):
    shares = {"conv1": first, "conv2": 0.0, "conv3": last, "linear4": 0.0}
    effect = rewinding_effect(rewinding(shares), METRICS, "test", "linear4")
    assert not effect.late_recovers
    assert effect.early_recovers == (first >= 0.1)


def test_where_nothing_was_lost_there_is_no_effect():
    table = rewinding({"conv1": 0.5, "linear2": 0.5})
    assert rewinding_effect(table, METRICS[:2], "test", "linear2") is None
    assert rewinding_effect(table[table["layer"] == "linear2"], METRICS, "test", "linear2") is None


def test_rows_without_a_source_are_the_runs_own():
    old = rewinding({"conv1": 0.5})
    for source in (float("nan"), "self"):
        table = old.assign(source=source)
        pd.testing.assert_frame_equal(own_rows(table), table)
        assert other_rows(table).empty
    both = pd.concat([old.assign(source="self"), old.assign(source="runs/clean")])
    assert own_rows(both)["source"].unique().tolist() == ["self"]
    assert other_rows(both)["source"].unique().tolist() == ["runs/clean"]
