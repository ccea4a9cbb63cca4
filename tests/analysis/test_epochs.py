import pandas as pd
import pytest

from memorize_jax.analysis import best_epoch, final_epoch, select_epochs

METRICS = pd.DataFrame({"epoch": range(5), "test_accuracy": [0.1, 0.6, 0.8, 0.8, 0.3]})


def test_the_best_epoch_is_the_first_with_the_highest_test_accuracy():
    assert best_epoch(METRICS) == 2


def test_the_final_epoch_is_the_last():
    assert final_epoch(METRICS) == 4


@pytest.mark.parametrize(
    ("spec", "epochs"),
    [
        ("best", [2]),
        ("final", [4]),
        ("best,final", [2, 4]),
        ("final, best ,0", [0, 2, 4]),
        ("3,2,best,3", [2, 3]),
        ("all", [0, 1, 2, 3, 4]),
    ],
)
def test_epochs_come_in_order_each_once(spec, epochs):
    assert select_epochs(spec, METRICS) == epochs


@pytest.mark.parametrize("item", ["5", "-1", "worst", "", "1.5", "²"])
def test_an_epoch_the_run_does_not_have_is_named(item):
    with pytest.raises(ValueError, match=f"numbers between 0 and 4 or best, final, all, got '{item}'"):
        select_epochs(f"best,{item}", METRICS)
