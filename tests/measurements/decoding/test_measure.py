"""The decoding step on the run of the smoke preset."""

import dataclasses
import shutil

import numpy as np
import pytest

from memorize_jax.activations import flat_reader
from memorize_jax.measurements.decoding import MEASUREMENT, classify, fit_subspaces, select_layers
from memorize_jax.measurements.decoding.measure import spread_epochs
from memorize_jax.measurements.driver import measure
from memorize_jax.presets import PRESETS
from memorize_jax.runs.run import open_run

LAYERS = ["input", "linear1", "linear2", "linear3", "linear4", "linear5", "linear6"]
CLOSED = {"masc", "masc_0.75", "masc_1", "velpic", "class_mean"}
FITTED = {"lda", "knn", "logistic"}
BOTH = ("assigned", "true")


@pytest.fixture(scope="module")
def run(smoke_run):
    return open_run(smoke_run)


@pytest.fixture(scope="module")
def table(run):
    return run.table("decoding")


def test_a_row_for_every_epoch_layer_method_and_kind_of_labels(table):
    rows = {(row.epoch, row.layer, row.method, row.labels) for row in table.itertuples()}
    assert len(rows) == len(table)
    methods = {0: CLOSED | FITTED, 1: CLOSED, 4: CLOSED | FITTED}
    expected = set()
    for epoch, own in methods.items():
        expected |= {(epoch, layer, method, labels) for layer in LAYERS for method in own for labels in BOTH}
        expected |= {(epoch, "linear6", "edited_network", labels) for labels in BOTH}
        expected |= {(epoch, "linear6", "network", "assigned")}
    assert rows == expected


def test_accuracies_are_shares_and_the_networks_own_are_those_of_training(table, run):
    for column in ("train_accuracy", "restored_accuracy", "test_accuracy"):
        assert table[column].between(0, 1).all()
    thorough = table[table["epoch"].isin((0, 4)) & table["method"].isin(CLOSED | FITTED)]
    assert thorough["validation_accuracy"].between(0, 1).all()
    assert table[table["epoch"] == 1]["validation_accuracy"].isna().all()
    metrics = run.metrics.set_index("epoch")
    for row in table[table["method"] == "network"].itertuples():
        assert row.test_accuracy == metrics["test_accuracy"][row.epoch]


def test_the_edited_network_reads_what_the_first_components_of_its_last_hidden_layer_read(table):
    edited, velpic = (
        table[rows].set_index(["epoch", "labels"])["test_accuracy"]
        for rows in (
            table["method"] == "edited_network",
            (table["method"] == "velpic") & (table["layer"] == "linear5"),
        )
    )
    # Of 360 test images a tie or two may fall differently.
    assert (edited - velpic).abs().max() <= 2 / 360


def test_subspaces_of_a_layer_are_those_of_its_activations(table, run):
    variables, splits = run.network(4), run.splits
    read = flat_reader(run.model(), run.statistics, ("linear1",))
    train, test = (np.asarray(read(variables, split.images)["linear1"]) for split in splits)
    subspaces = fit_subspaces(train, run.labels.assigned, num_classes=10)
    found = np.mean(np.asarray(classify(subspaces, test)) == splits.test.labels)
    row = table[(table["epoch"] == 4) & (table["layer"] == "linear1") & (table["labels"] == "assigned")]
    assert abs(row.set_index("method")["test_accuracy"]["masc"] - found) < 1e-6


def test_every_choice_is_a_layer_of_the_table(table, run):
    choice = run.table("decoding_choice")
    assert len(choice) == 2 * 2 * 8
    accuracy = table.set_index(["epoch", "method", "labels", "layer"])["test_accuracy"]
    for row in choice.to_dict("records"):
        for prefix in ("", "clean_", "oracle_"):
            chosen = (row["epoch"], row["method"], row["labels"], row[f"{prefix}layer"])
            assert accuracy[chosen] == row[f"{prefix}test_accuracy"]
        assert row["oracle_test_accuracy"] >= max(row["test_accuracy"], row["clean_test_accuracy"])


def test_in_float64_it_gives_the_same_table(table, smoke_run, tmp_path):
    settings = dataclasses.replace(
        PRESETS["smoke"].of("decoding"), decoding_layers="linear2", decoding_dynamics=0, decoding_dtype="float64"
    )
    again = measure(MEASUREMENT, shutil.copytree(smoke_run, tmp_path / "run"), [settings])
    both = again.merge(table, on=["epoch", "layer", "method", "labels"], suffixes=("", "_before"))
    assert len(both) == len(again) == 2 * (2 * 8 + 3)
    assert (both["test_accuracy"] - both["test_accuracy_before"]).abs().max() <= 3 / 360


def test_the_report_shows_the_probes_beside_the_network(table, run):
    page = run.folder.report.read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    best = table[(table["epoch"] == 4) & (table["method"] == "masc") & (table["labels"] == "assigned")]
    assert f"{100 * best['test_accuracy'].max():.1f} %" in page
    assert "CNN, Fashion-MNIST" in page


@pytest.mark.parametrize(
    ("last", "number", "expected"), [(100, 3, [0, 9, 100]), (3, 9, [0, 1, 2, 3]), (5, 1, [5]), (5, 0, [])]
)
def test_spread_epochs(last, number, expected):
    assert spread_epochs(last, number) == expected


def test_layers_are_chosen_by_name():
    assert select_layers("mlp", "all") == dict(zip(LAYERS, range(7), strict=True))
    assert select_layers("mlp", "linear3, input") == {"input": 0, "linear3": 3}
    with pytest.raises(ValueError, match=r"expected decoding_layers to be all or some of input, .*got 'conv1'"):
        select_layers("mlp", "input,conv1")
