import pandas as pd
import pytest

from memorize_jax.analysis import select_epochs

METRICS = pd.DataFrame({"epoch": range(5), "test_accuracy": [0.1, 0.6, 0.8, 0.8, 0.3]})


@pytest.mark.parametrize(
    ("spec", "epochs"),
    [
        ("best", [2]),
        ("final", [4]),
        ("best,final", [2, 4]),
        ("final, best ,0", [0, 2, 4]),
        ("3,2,best,3", [2, 3]),
        ("all", [0, 1, 2, 3, 4]),
        ("log", [0, 1, 2, 3, 4]),
    ],
)
def test_epochs_come_in_order_each_once(spec, epochs):
    assert select_epochs(spec, METRICS) == epochs


def test_log_means_ever_fewer_of_the_epochs_that_are_kept():
    metrics = pd.DataFrame({"epoch": range(30), "test_accuracy": 0.5})
    assert select_epochs("log", metrics) == [0, 1, 2, 3, 4, 6, 8, 12, 16, 24]
    assert select_epochs("log,7", metrics, {0, 8, 20}) == [0, 7, 8]


@pytest.mark.parametrize("item", ["5", "-1", "worst", "", "1.5", "²"])
def test_an_epoch_the_run_does_not_have_is_named(item):
    with pytest.raises(ValueError, match=f"numbers between 0 and 4 or best, final, all, log, got '{item}'"):
        select_epochs(f"best,{item}", METRICS)
