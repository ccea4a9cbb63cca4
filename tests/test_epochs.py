import pandas as pd
import pytest

from memorize_jax.analysis import select_epochs
from memorize_jax.epochs import (
    at_shared_stages,
    at_stages,
    at_stages_or_epochs,
    best_epoch,
    check_epochs,
    check_keep,
    final_epoch,
    kept_epochs,
    snapshots,
)

METRICS = pd.DataFrame({"epoch": range(5), "test_accuracy": [0.1, 0.6, 0.8, 0.8, 0.3]})
ACCURACIES = [0.1, 0.3, 0.7, 0.7, 0.2, 0.1, 0.3, 0.2, 0.1, 0.1, 0.1]


@pytest.mark.parametrize(
    ("spec", "epochs"),
    [("best", [2]), ("final", [4]), ("final, best ,0", [0, 2, 4]), ("3,2,best,3", [2, 3])]
    + [(word, [0, 1, 2, 3, 4]) for word in ("all", "log")],
)
def test_a_choice_of_epochs_comes_in_order_each_once(spec, epochs):
    check_epochs("epochs", spec)
    assert select_epochs(spec, METRICS) == epochs


def test_log_means_ever_fewer_of_the_epochs_that_are_kept():
    metrics = pd.DataFrame({"epoch": range(30), "test_accuracy": 0.5})
    assert select_epochs("log", metrics) == [0, 1, 2, 3, 4, 6, 8, 12, 16, 24]
    assert select_epochs("log,7", metrics, {0, 8, 20}) == [0, 7, 8]
    assert select_epochs("all,7", metrics, {0, 8, 20}) == [0, 7, 8, 20]


def test_log_of_few_is_spread_over_log_from_the_first_to_the_last():
    metrics = pd.DataFrame({"epoch": range(30), "test_accuracy": 0.5})
    everything = select_epochs("log", metrics)
    for most in range(1, 14):
        few = select_epochs(f"log:{most}", metrics)
        check_epochs("epochs", f"log:{most}")
        assert len(few) == min(most, len(everything))
        assert set(few) <= set(everything)
        assert few[-1] == 24
        assert few[0] == (24 if most == 1 else 0)
    assert select_epochs("log:4,final", metrics) == [0, 3, 8, 24, 29]
    with pytest.raises(ValueError, match="log, log:K, got 'log:0'"):
        check_epochs("epochs", "log:0")


@pytest.mark.parametrize("item", ["5", "-1", "worst", "", "1.5", "²"])
def test_an_epoch_the_run_does_not_have_is_named(item):
    with pytest.raises(ValueError, match=f"numbers between 0 and 4 or best, final, all, log, log:K, got '{item}'"):
        select_epochs(f"best,{item}", METRICS)
    if item != "5":
        with pytest.raises(
            ValueError, match=f"expected when to be numbers or best, final, all, log, log:K, got '{item}'"
        ):
            check_epochs("when", f"best,{item}")


NO_OTHERS = ("best,last", set())


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ("all", {*range(11)}),
        ("every:1", {*range(11)}),
        ("every:4", {0, 4, 8}),
        ("log", {0, 1, 2, 3, 4, 6, 8}),
        NO_OTHERS,
    ],
)
def test_what_is_kept(keep, expected):
    check_keep(keep)
    kept = kept_epochs(keep, ACCURACIES)
    assert kept.snapshots == expected
    assert kept.full == {2, 10}


@pytest.mark.parametrize("keep", ["", "every", "every:0", "every:-1", "every:1.5", "best", "last,best", "none"])
def test_another_choice_of_what_is_kept_is_refused(keep):
    with pytest.raises(ValueError, match=r"expected keep to be all, every:K with K >= 1, log, or best,last, got"):
        check_keep(keep)


@pytest.mark.parametrize("keep", ["all", "every:1", "every:4", "every:20", "log", "best,last"])
def test_kept_epochs_are_counted_without_a_list_of_all(keep):
    for last in (0, 1, 2, 3, 4, 10, 12, 13):
        assert len(snapshots(keep, last)) == len(kept_epochs(keep, [0.0] * (last + 1)).snapshots)
    assert len(snapshots(keep, 10**12)) in (10**12 + 1, 25 * 10**10 + 1, 5 * 10**10 + 1, 80, 0)


def test_every_seed_has_its_own_best_and_final_epoch_and_the_best_is_the_first_of_equals():
    accuracy = {0: [0.1, 0.9, 0.5, 0.4], 1: [0.1, 0.7, 0.7, 0.4], 4: [0.1, 0.2, 0.6]}
    metrics = {seed: pd.DataFrame({"epoch": range(len(own)), "test_accuracy": own}) for seed, own in accuracy.items()}
    rows = pd.MultiIndex.from_product([metrics, range(4), ("input", "linear1")], names=["seed", "epoch", "layer"])
    found = at_stages(rows.to_frame(index=False), metrics)
    assert len(found) == 2 * 2 * 3
    epochs = found.drop_duplicates(["seed", "stage"]).set_index(["stage", "seed"])["epoch"]
    own = {seed: (best_epoch(table), final_epoch(table)) for seed, table in metrics.items()}
    assert own == {0: (1, 3), 1: (1, 3), 4: (2, 2)}
    assert {seed: (epochs["best"][seed], epochs["final"][seed]) for seed in own} == own


@pytest.mark.parametrize(
    ("measured", "shared", "shown"),
    [
        # By chance epoch 1 is the best one of seed 0, and of no other.
        ({0: [1], 1: [1]}, set(), {"epoch 1"}),
        ({0: [1, 3], 1: [1, 3]}, {"final"}, {"final"}),
        ({0: [1], 1: [2]}, {"best"}, {"best"}),
        ({0: [0, 1, 3], 1: [0, 2, 3]}, {"best", "final"}, {"best", "final"}),
        ({0: [1, 3], 1: [0]}, set(), {"epoch 0", "epoch 1", "epoch 3"}),
        ({0: [1]}, {"best"}, {"best"}),
    ],
)
def test_a_stage_that_some_seeds_lack_is_none_of_an_ensemble(measured, shared, shown):
    accuracy = {0: [0.1, 0.9, 0.5, 0.4], 1: [0.1, 0.2, 0.7, 0.4]}
    metrics = {seed: pd.DataFrame({"epoch": range(4), "test_accuracy": own}) for seed, own in accuracy.items()}
    rows = [{"seed": seed, "epoch": epoch} for seed, epochs in measured.items() for epoch in epochs]
    found = at_shared_stages(pd.DataFrame(rows), metrics)
    assert set(found["stage"]) == shared
    assert (found.groupby("stage")["seed"].nunique() == len(measured)).all()
    either = at_stages_or_epochs(pd.DataFrame(rows), metrics)
    assert set(either["stage"]) == shown
    assert set(either["seed"]) == set(measured)
