"""The decoding step on the run of the smoke preset."""

import dataclasses
import shutil

import numpy as np
import pytest

from experiments import decoding, presets, report
from memorize_jax import analysis, data, models
from memorize_jax.runs.folder import Run
from memorize_jax.runs.labels import read_labels
from memorize_jax.storage.checkpoints import EpochStore
from memorize_jax.storage.tables import DECODING, DECODING_CHOICE, METRICS, read_table

LAYERS = ["input", "linear1", "linear2", "linear3", "linear4", "linear5", "linear6"]
CLOSED = {"masc", "masc_0.75", "masc_1", "velpic", "class_mean"}
FITTED = {"lda", "knn", "logistic"}


@pytest.fixture(scope="module")
def table(smoke_run):
    return read_table(Run(smoke_run).results / "decoding.csv", DECODING, "")


def test_a_row_for_every_epoch_layer_method_and_kind_of_labels(table):
    rows = {(row.epoch, row.layer, row.method, row.labels) for row in table.itertuples()}
    assert len(rows) == len(table)
    methods = {0: CLOSED | FITTED, 1: CLOSED, 4: CLOSED | FITTED}
    expected = {
        (epoch, layer, method, labels)
        for epoch in methods
        for layer in LAYERS
        for method in methods[epoch]
        for labels in ("assigned", "true")
    }
    expected |= {(epoch, "linear6", "edited_network", labels) for epoch in methods for labels in ("assigned", "true")}
    assert rows == expected | {(epoch, "linear6", "network", "assigned") for epoch in methods}


def test_accuracies_are_shares(table):
    for column in ("train_accuracy", "restored_accuracy", "test_accuracy"):
        assert table[column].between(0, 1).all()
    thorough = table[table["epoch"].isin((0, 4)) & table["method"].isin(CLOSED | FITTED)]
    assert thorough["validation_accuracy"].between(0, 1).all()
    assert table[table["epoch"] == 1]["validation_accuracy"].isna().all()


def test_the_networks_own_row_is_that_of_training(table, smoke_run):
    metrics = read_table(Run(smoke_run).metrics, METRICS, "").set_index("epoch")
    for row in table[table["method"] == "network"].itertuples():
        assert row.test_accuracy == metrics["test_accuracy"][row.epoch]


def test_the_edited_network_reads_what_the_first_components_of_its_last_hidden_layer_read(table):
    edited = table[table["method"] == "edited_network"].set_index(["epoch", "labels"])["test_accuracy"]
    probe = table[(table["method"] == "velpic") & (table["layer"] == "linear5")]
    probe = probe.set_index(["epoch", "labels"])["test_accuracy"]
    # Of 360 test images a tie or two may fall differently.
    assert (edited - probe).abs().max() <= 2 / 360


def test_subspaces_of_a_layer_are_those_of_its_activations(table, smoke_run):
    splits, labels = data.load("digits"), read_labels(Run(smoke_run))
    model = models.create("mlp", num_classes=10, width=32)
    with EpochStore(Run(smoke_run).checkpoints) as store:
        variables = store.load(4)
    statistics = data.channel_statistics(splits.train.images)
    train, test = (
        np.asarray(
            analysis.layer_activations(model, variables, data.standardize(split.images, statistics), ("linear1",))[
                "linear1"
            ]
        )
        for split in splits
    )
    subspaces = analysis.decoding.fit_subspaces(train, labels.assigned, num_classes=10)
    found = np.mean(np.asarray(analysis.decoding.classify(subspaces, test)) == splits.test.labels)
    row = table[(table["epoch"] == 4) & (table["layer"] == "linear1") & (table["labels"] == "assigned")]
    assert abs(row.set_index("method")["test_accuracy"]["masc"] - found) < 1e-6


def test_every_choice_is_a_layer_of_the_table(table, smoke_run):
    choice = read_table(Run(smoke_run).results / "decoding_choice.csv", DECODING_CHOICE, "")
    assert len(choice) == 2 * 2 * 8
    accuracy = table.set_index(["epoch", "method", "labels", "layer"])["test_accuracy"]
    for row in choice.itertuples():
        for layer, found in (
            (row.layer, row.test_accuracy),
            (row.clean_layer, row.clean_test_accuracy),
            (row.oracle_layer, row.oracle_test_accuracy),
        ):
            assert accuracy[row.epoch, row.method, row.labels, layer] == found
        assert row.oracle_test_accuracy >= max(row.test_accuracy, row.clean_test_accuracy)


def test_the_same_step_in_this_process_and_in_float64_gives_the_same_table(table, smoke_run, tmp_path):
    workdir = shutil.copytree(smoke_run, tmp_path / "run")
    config = dataclasses.replace(
        presets.PRESETS["smoke"].decoding, decoding_layers="linear2", decoding_dynamics=0, decoding_dtype="float64"
    )
    decoding.run(workdir, config)
    again = read_table(Run(workdir).results / "decoding.csv", DECODING, "")
    key = ["epoch", "layer", "method", "labels"]
    both = again.merge(table, on=key, suffixes=("", "_before"))
    assert len(both) == len(again) == 2 * (2 * 8 + 3)
    assert (both["test_accuracy"] - both["test_accuracy_before"]).abs().max() <= 3 / 360


def test_the_report_shows_the_probes_beside_the_network(table, smoke_run):
    page = Run(smoke_run).report.read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    best = table[(table["epoch"] == 4) & (table["method"] == "masc") & (table["labels"] == "assigned")]
    assert f"{100 * best['test_accuracy'].max():.1f} %" in page
    assert "CNN, Fashion-MNIST" in page


def test_the_report_does_without_probes(smoke_run, tmp_path):
    workdir = shutil.copytree(smoke_run, tmp_path / "run")
    (Run(workdir).results / "decoding.csv").unlink()
    assert "subspace probes" not in report.run(workdir).read_text(encoding="utf-8")


def test_labels_of_other_data_are_refused(smoke_run):
    splits = data.load("digits")
    other = splits._replace(train=splits.train._replace(labels=(splits.train.labels + 1) % 10))
    with pytest.raises(ValueError, match=r"its true labels are not those of the data set"):
        decoding.run(smoke_run, presets.DecodingConfig(), other)


@pytest.mark.parametrize(
    ("last", "number", "expected"), [(100, 3, [0, 9, 100]), (3, 9, [0, 1, 2, 3]), (5, 1, [5]), (5, 0, [])]
)
def test_spread_epochs(last, number, expected):
    assert decoding.spread_epochs(last, number) == expected
