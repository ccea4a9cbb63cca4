"""Running sums, depth and AUROC against brute force on invented numbers."""

import itertools

import jax
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from memorize_jax.measurements.per_example.auroc import auroc
from memorize_jax.measurements.per_example.depth import BLOCK, neighbor_votes, prediction_depth
from memorize_jax.measurements.per_example.dynamics import add, read_logits, start, summarize
from memorize_jax.measurements.per_example.epoch_lists import listed

EPOCHS, NUM, CLASSES = 9, 40, 3
STORED = [0, 1, 2, 3, 4, 6, 8, 12, 16]
rng = np.random.default_rng(0)
LOGITS = rng.normal(size=(EPOCHS, NUM, CLASSES)) * 3
TRUE, ASSIGNED = rng.integers(0, CLASSES, (2, NUM))


def followed(logits):
    dynamics = start(len(TRUE))
    for epoch, one in zip(STORED, logits, strict=True):
        dynamics = add(dynamics, epoch, read_logits(one, ASSIGNED), ASSIGNED, TRUE)
    return summarize(dynamics, STORED[-1])


def test_running_sums_are_what_all_epochs_together_give():
    found = followed(LOGITS)
    for i, (true, assigned) in enumerate(zip(TRUE, ASSIGNED, strict=True)):
        own = LOGITS[:, i]
        right, is_true = own.argmax(axis=1) == assigned, own.argmax(axis=1) == true
        learned = [epoch for place, epoch in enumerate(STORED) if right[place:].all()]
        assert found["learned_epoch"][i] == (learned or [17])[0]
        assert found["first_true_epoch"][i] == ([*np.array(STORED)[is_true], 17])[0]
        assert found["forgotten"][i] == sum(before and not after for before, after in itertools.pairwise(right))
        margins = [row[assigned] - max(np.delete(row, assigned)) for row in own]
        losses = [-np.log(np.exp(row[assigned]) / np.exp(row).sum()) for row in own]
        np.testing.assert_allclose(found["aum"][i], np.mean(margins))
        np.testing.assert_allclose(found["cumulative_loss"][i], np.sum(losses))


def test_a_constant_added_to_all_logits_of_an_example_changes_nothing():
    moved = followed(LOGITS + rng.normal(size=(EPOCHS, NUM, 1)))
    for name, values in followed(LOGITS).items():
        np.testing.assert_allclose(moved[name], values, err_msg=name)


def test_a_network_without_finite_logits_predicts_nothing():
    broken = LOGITS.copy()
    broken[-1, 0] = np.nan
    found, sound = followed(broken), followed(LOGITS)
    assert (found["learned_epoch"][0], found["first_true_epoch"][0]) == (17, sound["first_true_epoch"][0])
    assert np.isnan([found["aum"][0], found["cumulative_loss"][0]]).all()
    np.testing.assert_array_equal(found["aum"][1:], sound["aum"][1:])


@pytest.mark.parametrize(("num", "unit", "offset"), [(50, 1, 100), (BLOCK + 90, 1, 100), (50, 1e-25, 0), (50, 1e25, 0)])
def test_neighbors_vote_as_all_distances_at_once_say(num, unit, offset):
    points, labels = (unit * rng.normal(size=(num, 4))).astype(np.float32) + offset, rng.integers(0, CLASSES, num)
    votes = np.asarray(neighbor_votes(points, labels, num_neighbors=7, num_classes=CLASSES))
    distances = cdist(points.astype(float), points.astype(float))
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argsort(axis=1)[:, :7]
    np.testing.assert_array_equal(votes, [np.bincount(labels[own], minlength=CLASSES).argmax() for own in nearest])


def test_a_point_has_no_vote_on_itself_and_bad_points_none_at_all():
    points, labels = np.array([[0.0], [0.1], [5.0], [5.1], [5.2]]), np.array([0, 1, 2, 2, 2])
    options = {"num_neighbors": 1, "num_classes": 3}
    assert neighbor_votes(points, labels, **options).tolist() == [1, 0, 2, 2, 2]
    with jax.disable_jit():
        assert neighbor_votes(points, labels, **options).tolist() == [1, 0, 2, 2, 2]
    assert neighbor_votes(points * np.nan, labels, **options).tolist() == [-1] * 5
    with pytest.raises(ValueError, match="expected 1 <= num_neighbors < 5 points, got 5"):
        neighbor_votes(points, labels, num_neighbors=5, num_classes=3)


def test_depth_is_the_layer_from_which_on_all_probes_agree():
    predicted = np.array([0, 0, 0, 0, -1])
    votes = np.array([[0, 1, 0, 0, -1], [0, 1, 1, 0, -1], [0, 0, 0, 1, -1]])
    np.testing.assert_array_equal(prediction_depth(votes, predicted), [0, 2, 2, 3, np.nan])


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_without_one_of_the_probes_no_depth_is_known_and_nothing_is_ranked_by_it(layer):
    labels, points = np.arange(30) % 3, rng.normal(size=(3, 30, 4))
    points[layer, 7, 1] = np.inf
    votes = np.stack([np.asarray(neighbor_votes(one, labels, num_neighbors=3, num_classes=3)) for one in points])
    assert (votes == -1).all(axis=1).tolist() == [place == layer for place in range(3)]
    depth = prediction_depth(votes, labels)
    assert np.isnan(depth).all()
    assert np.isnan(auroc(depth, labels == 0)).all()


def test_the_auroc_is_that_of_all_pairs_with_delongs_variance():
    scores, wrong = rng.integers(0, 9, 60) / 2.0, rng.random(60) < 0.4
    scores[wrong] += 1
    found = auroc(scores, wrong, level=0.95)
    np.testing.assert_allclose(found.auroc, roc_auc_score(wrong, scores))
    pairs = (scores[wrong][:, None] > scores[~wrong]) + 0.5 * (scores[wrong][:, None] == scores[~wrong])
    variance = sum(pairs.mean(axis=axis).var(ddof=1) / pairs.shape[1 - axis] for axis in (0, 1))
    half = 1.959964 * np.sqrt(variance)
    np.testing.assert_allclose([found.low, found.high], [pairs.mean() - half, min(pairs.mean() + half, 1)], rtol=1e-6)
    np.testing.assert_allclose(auroc(-scores, wrong).auroc, 1 - found.auroc)


def test_an_auroc_is_of_booleans():
    """As integers they would be indices, and their complement negative."""
    scores = np.random.default_rng(0).normal(size=20)
    with pytest.raises(ValueError, match=r"expected scores \[n\] and booleans \[n\], got \[20\] and int64 \[20\]"):
        auroc(scores, np.arange(20) % 2)


def test_labels_that_are_no_class_give_no_votes():
    points = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    for labels in (np.arange(12) % 4, np.arange(12) % 3 - 1):
        assert np.all(neighbor_votes(points, labels, num_neighbors=3, num_classes=3) == -1)


def test_an_auroc_that_says_nothing_has_no_interval():
    in_order, wrong = np.arange(6.0), np.arange(6) > 2
    np.testing.assert_array_equal(auroc(in_order, wrong), [1, np.nan, np.nan])
    np.testing.assert_array_equal(auroc(in_order, wrong & False), [np.nan] * 3)
    np.testing.assert_array_equal(auroc(np.full(6, np.nan), wrong), [np.nan] * 3)
    # Standard error 0.15: the end beyond 1 is cut.
    assert auroc(np.array([0, 1, 3, 2, 4, 5.0]), wrong).high == 1


def test_epochs_in_words():
    assert listed([1, 2, 3, 7]) == "epochs 1 to 3, 7"
    assert listed([4]) == "epoch 4"
