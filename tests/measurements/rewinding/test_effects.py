import numpy as np
import pandas as pd
import pytest

from memorize_jax.measurements.rewinding.effects import rewinding_effect
from memorize_jax.measurements.rewinding.section import SECTION
from memorize_jax.measurements.rewinding.sources import other_rows, own_rows
from memorize_jax.pages.page import fill
from tests.claims.invented import study, without

HIDDEN = ("conv1", "conv2", "conv3")
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
    effect = rewinding_effect(rewinding(shares), METRICS, "test", HIDDEN)
    assert (effect.final, effect.peak) == (0.5, 0.9)
    assert {found.layer: found.share for found in effect.recoveries} == pytest.approx(shares)
    assert {found.rewind_epoch for found in effect.recoveries} == {1}
    assert (effect.early, effect.late) == (("conv1",), ("conv3",))
    assert effect.late_recovers
    assert not effect.early_recovers


@pytest.mark.parametrize(("first", "last"), [(0.5, 0.3), (0.0, 0.05)])
def test_late_layers_that_win_back_little_or_less_than_early_ones_do_not_recover(first, last):
    shares = {"conv1": first, "conv2": 0.0, "conv3": last, "linear4": 0.0}
    effect = rewinding_effect(rewinding(shares), METRICS, "test", HIDDEN)
    assert not effect.late_recovers
    assert effect.early_recovers == (first >= 0.1)


def test_a_layer_that_makes_it_worse_at_every_epoch_wins_back_nothing():
    """As where only the first epoch was rewound to; the final network itself would win back 0."""
    shares = {"conv1": -1.0, "conv2": 0.25, "conv3": -0.25}
    rows = rewinding(shares)
    effect = rewinding_effect(rows[rows["rewind_epoch"] == 1], METRICS, "test", HIDDEN)
    assert {found.layer: found.share for found in effect.recoveries} == pytest.approx(
        {"conv1": 0.0, "conv2": 0.25, "conv3": 0.0}
    )
    assert effect.recoveries[0].accuracy == pytest.approx(0.1)
    assert (effect.early_share, effect.late_share, effect.late_recovers) == (0.0, 0.0, False)


def test_where_nothing_was_lost_there_is_no_effect():
    assert rewinding_effect(rewinding({"conv1": 0.5, "linear2": 0.5}), METRICS[:2], "test", ("conv1",)) is None


def test_early_and_late_are_thirds_of_all_hidden_layers_whichever_were_rewound():
    hidden = tuple(f"linear{number}" for number in range(1, 7))
    shares = dict(zip(hidden, (0.0, 0.1, 0.2, 0.3, 0.6, 0.8), strict=True))
    effect = rewinding_effect(rewinding(shares), METRICS, "test", hidden)
    assert (effect.early, effect.late) == (hidden[:2], hidden[-2:])
    assert (effect.early_share, effect.late_share) == pytest.approx((0.05, 0.7))
    assert effect.tells_late_from_early
    for rewound in (hidden[-2:], hidden[1:], hidden[:-1], ("linear3",)):
        found = rewinding_effect(rewinding({name: shares[name] for name in rewound}), METRICS, "test", hidden)
        assert (found.early, found.late) == (effect.early, effect.late)
        expected = [
            np.mean([shares[name] for name in own]) if {*own} <= {*rewound} else np.nan
            for own in (found.early, found.late)
        ]
        np.testing.assert_allclose([found.early_share, found.late_share], expected)
        assert not found.tells_late_from_early
    only = rewinding_effect(rewinding({"linear1": 0.5}), METRICS, "test", ("linear1",))
    assert (only.early, only.late, only.tells_late_from_early) == (("linear1",), ("linear1",), False)
    # A network of an output alone, and sets of layers alone.
    assert not rewinding_effect(rewinding({"linear1": 0.5}), METRICS, "test", ()).tells_late_from_early
    together = rewinding_effect(rewinding({"conv1+conv2": 0.5}), METRICS, "test", HIDDEN)
    assert ([one.layer for one in together.recoveries], together.tells_late_from_early) == (["conv1+conv2"], False)


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_the_report_compares_late_with_early_layers_only_where_all_of_them_were_rewound(seeds):
    base = study(seeds=seeds)
    tables = {**base.tables, "rewinding": base.tables["rewinding"].assign(bn="keep")}
    base = base._replace(tables=tables)

    def said(one):
        return " ".join(fill(SECTION.words, study=one, facts=SECTION.facts(one)).split())

    assert said(base).count("(linear1) 0.0 %") == 2
    partly = said(without(base, "rewinding", layer="linear1"))
    assert "the first" not in partly.replace("(cannot tell the last hidden layers from the first)", "")
    assert "paper" not in partly
    assert partly.count("accuracy fell from") == (2 if seeds == (0,) else 0)
    # Of several seeds those that can tell.
    some = said(without(base, "rewinding", layer="linear1", seed=0))
    assert some.count("means over 1 of 2 seeds") == (2 if len(seeds) == 2 else 0)


def test_rows_without_a_source_are_the_runs_own():
    old = rewinding({"conv1": 0.5})
    for source in (float("nan"), "self"):
        table = old.assign(source=source)
        pd.testing.assert_frame_equal(own_rows(table), table)
        assert other_rows(table).empty
    both = pd.concat([old.assign(source="self"), old.assign(source="runs/clean")])
    assert own_rows(both)["source"].unique().tolist() == ["self"]
    assert other_rows(both)["source"].unique().tolist() == ["runs/clean"]
