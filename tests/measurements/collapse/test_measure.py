"""A whole network: the table against brute force, batches against the whole, and what is missing."""

import shutil

import jax
import numpy as np
import pandas as pd
import pytest

from memorize_jax import models
from memorize_jax.activations import HEAD_INPUT, flat_reader, head_reader, run_in_batches
from memorize_jax.data import PermutedLabels, channel_statistics
from memorize_jax.measurements.collapse import COLUMNS, MEASUREMENT, CollapseSettings, passes
from memorize_jax.measurements.collapse.labelings import label_groups
from memorize_jax.measurements.collapse.layers import layer_rows
from memorize_jax.measurements.collapse.means import (
    AT_CENTER,
    COINCIDE,
    EMPTY_CLASS,
    NO_REFERENCE,
    NONE_WRONG,
    NOT_FINITE,
)
from memorize_jax.measurements.driver import measure
from memorize_jax.runs.run import open_run
from tests.measurements.collapse.test_centroids import brute_nc1, centroids_of

NUMBERS = [name for name in COLUMNS[5:-4] if not name.startswith("rank")]


@pytest.fixture(scope="module")
def measured(tiny_runs, tmp_path_factory):
    folder = shutil.copytree(tiny_runs["trained"], tmp_path_factory.mktemp("collapse") / "run")
    table = measure(MEASUREMENT, folder, [CollapseSettings("0,final")])
    return open_run(folder), table.set_index(["epoch", "layer", "group"])


def test_every_number_is_that_of_brute_force(measured):
    run, table = measured
    names, labels, splits = tuple(run.layers), run.labels, run.splits
    read = flat_reader(run.model(), run.statistics, names[1:])
    network = run.network(3)
    train, test = (run_in_batches(read, network, split.images, names, "float64") for split in splits)
    kernel = network["params"]["linear2"]["kernel"]
    true, assigned, permuted = labels.true, labels.assigned, labels.is_permuted
    members = {"unpermuted": ~permuted, "permuted": permuted, "restored": permuted, "train": np.ones(48, bool)}
    for name in names:
        reference = centroids_of(train[name][~permuted], true[~permuted])
        wrong = true != assigned
        line = reference[assigned[wrong]] - reference[true[wrong]]
        drift = ((train[name][wrong] - reference[true[wrong]]) * line).sum(axis=1) / (line**2).sum(axis=1)
        row = table.loc[3, name, "permuted"]
        expected = [drift.mean(), drift.std(), (drift > 0.5).mean()]
        np.testing.assert_allclose(row[["drift", "drift_sd", "drift_share"]].astype(float), expected, rtol=1e-4)
        assert (row["num_drifting"], row["num_examples"]) == (wrong.sum(), permuted.sum())
        for group in ("test", *members):
            is_in = members.get(group)
            points = test[name] if is_in is None else train[name][is_in]
            answers = (test if is_in is None else train)["linear2"].argmax(axis=1)
            both = [splits.test.labels] * 2 if is_in is None else [true[is_in], assigned[is_in]]
            row = table.loc[3, name, group]
            for labeled, column in zip(both, ("nc1_true", "nc1_assigned"), strict=True):
                assert row[column] == pytest.approx(brute_nc1(points, labeled), rel=1e-3), (name, group)
            own = both[group in ("permuted", "train")]
            offsets = centroids_of(points, own) - centroids_of(points, own).mean(axis=0)
            norms = np.linalg.norm(offsets, axis=1)
            assert row["nc2_norm"] == pytest.approx(norms.std() / norms.mean(), rel=1e-3)
            cosines = (offsets @ offsets.T / np.outer(norms, norms))[~np.eye(3, dtype=bool)]
            assert row["nc2_angle"] == pytest.approx(np.abs(cosines + 0.5).mean(), rel=1e-3)
            distances = ((points[:, None] - reference) ** 2).sum(axis=2)
            agrees = distances.argmin(axis=1) == (answers if is_in is None else answers[is_in])
            assert row["nc4"] == pytest.approx(agrees.mean())
            if name != "linear2":
                assert np.isnan(row["nc3"])
                continue
            last = test["linear1"] if is_in is None else train["linear1"][is_in]
            offsets = centroids_of(last, own) - centroids_of(last, own).mean(axis=0)
            gap = kernel.T / np.linalg.norm(kernel) - offsets / np.linalg.norm(offsets)
            assert row["nc3"] == pytest.approx(np.linalg.norm(gap), rel=1e-3)
    others = table[table.index.get_level_values("group") != "permuted"]
    assert others[["drift", "drift_sd", "drift_share"]].isna().all(axis=None)
    assert (table["status"] == 0).all()


def rows_of(run, labels, network=None, factor=1):
    names = tuple(run.layers)
    own = head_reader(run.model(), run.statistics, names[1:], names[-1])
    read = lambda variables, images: {name: factor * points for name, points in own(variables, images).items()}
    images, labelings = [split.images for split in run.splits], label_groups(labels, run.splits.test.labels)
    found = layer_rows(read, network or run.network(3), images, labelings, names, 3)
    return pd.DataFrame(found).set_index(["layer", "group"])


def test_batches_and_layers_one_at_a_time_give_the_same(measured, monkeypatch):
    run, table = measured
    monkeypatch.setattr(passes, "BATCH", 17)
    monkeypatch.setattr(passes, "HOST_BYTES", 1)
    found = rows_of(run, run.labels)
    expected = table.loc[3].drop(columns=["seed", "layer_number"])
    pd.testing.assert_frame_equal(found[expected.columns], expected, rtol=1e-4, atol=1e-6, check_dtype=False)


@pytest.mark.parametrize("power", [-80, 80])
def test_activations_in_another_unit_give_the_same_to_the_last_bit(measured, power):
    run, _ = measured
    found, expected = (rows_of(run, run.labels, factor=np.float32(2.0**own)) for own in (power, 0))
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def rows_of_points(classes, factor):
    """The rows of a layer of arrays [C, n, d], in units of a factor, as training and as test examples."""
    number, each, width = classes.shape
    points, labels = classes.reshape(-1, width).astype(np.float32), np.repeat(np.arange(number, dtype=np.int32), each)
    labelings = label_groups(PermutedLabels(labels, labels, np.zeros(len(labels), bool)), labels)
    read = lambda variables, images: {"points": np.float32(factor) * images, "head": images[:, :number]}
    found = pd.DataFrame(layer_rows(read, {}, [points, points], labelings, ("points", "head"), number))
    return found.set_index(["layer", "group"]).loc["points"]


@pytest.mark.parametrize("factor", [1, 1e-20, 1e20])
def test_centroids_that_coincide_leave_no_number(factor):
    half = np.random.default_rng(0).normal(size=(20, 6))
    rows = rows_of_points(np.stack([np.concatenate([half, -half])] * 2), factor)
    assert (rows["status"] == COINCIDE | NO_REFERENCE).all()
    assert rows[NUMBERS].isna().all(axis=None)


@pytest.mark.parametrize("factor", [1, 1e-20, 1e20])
def test_a_centroid_at_the_center_has_a_distance_and_no_angle(factor):
    half = 0.1 * np.random.default_rng(0).normal(size=(15, 6))
    classes = np.concatenate([half, -half]) + np.arange(-1, 2)[:, None, None] * np.eye(6)[0]
    rows = rows_of_points(classes, factor)
    assert (rows["status"] == AT_CENTER).all()
    assert rows["nc2_angle"].isna().all()
    np.testing.assert_allclose(rows["nc2_norm"], np.std([1, 0, 1]) / np.mean([1, 0, 1]), rtol=1e-6)
    points, labels = classes.reshape(-1, 6), np.repeat(np.arange(3), 30)
    np.testing.assert_allclose(rows["nc1_true"], brute_nc1(points, labels), rtol=1e-5)


def test_classes_without_examples_leave_no_number(measured):
    run, _ = measured
    true, count = run.labels.true, len(run.labels.true)

    def with_labels(assigned, is_permuted):
        return rows_of(run, PermutedLabels(assigned, true, is_permuted))

    # All permuted: nothing to measure drift by.
    found = with_labels((true + 1) % 3, np.ones(count, bool))
    assert "unpermuted" not in found.index.get_level_values("group")
    assert (found["status"] == NO_REFERENCE).all()
    assert found[["drift", "nc4"]].isna().all(axis=None)
    assert found["nc1_true"].notna().all()
    # Class 0 has unpermuted examples only, so that of permuted ones it has none.
    some = (true > 0) & (np.arange(count) % 2 == 0)
    found = with_labels(np.where(some, 3 - true, true), some)
    rows = found.xs("permuted", level="group")
    assert (rows["status"] == EMPTY_CLASS).all()
    assert rows[["nc1_true", "nc1_assigned", "nc2_norm", "nc2_angle", "nc3"]].isna().all(axis=None)
    assert rows["drift"].notna().all()
    # Every permuted example has its own label.
    rows = with_labels(true, np.arange(count) % 2 == 0).xs("permuted", level="group")
    assert (rows["status"] == NONE_WRONG).all()
    assert rows["drift"].isna().all()


def test_activations_that_are_not_finite_leave_no_number(measured):
    run, _ = measured
    network = run.network(3)
    params = {**network["params"], "linear2": {**network["params"]["linear2"], "bias": np.full(3, np.nan, np.float32)}}
    found = rows_of(run, run.labels, {**network, "params": params})
    last = found.loc["linear2"]
    assert (last["status"] & NOT_FINITE > 0).all()
    assert last[[name for name in NUMBERS if name != "nc3"]].isna().all(axis=None)
    # Without answers there is no agreement with them, in any layer.
    assert found["nc4"].isna().all()
    assert (found["status"] & NOT_FINITE > 0).all()
    assert found.loc["linear1", "nc1_true"].notna().all()
    dead = {name: {key: 0 * value for key, value in own.items()} for name, own in network["params"].items()}
    found = rows_of(run, run.labels, {**network, "params": dead})
    assert found.loc[["linear1", "linear2"], NUMBERS].isna().all(axis=None)
    assert (found.loc[["linear1", "linear2"], "status"] > 0).all()
    assert (found.loc["input", "nc1_true"] > 0).all()


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "resnet18", "mlp"])
def test_the_last_layer_of_every_network_has_a_kernel_and_an_input(name):
    width = {"mlp": 8, "vgg16": 1}.get(name, 2)
    model, head = models.create(name, num_classes=3, width=width), models.layer_names(name)[-1]
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.uint8)
    read = head_reader(model, channel_statistics(images), models.layer_names(name), head)
    variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x), images.astype(np.float32))
    shown = jax.eval_shape(read, variables, images)
    kernel = variables["params"][head]["kernel"]
    assert kernel.shape == (shown[HEAD_INPUT].shape[1], 3)
    assert shown[head].shape == (2, 3)
