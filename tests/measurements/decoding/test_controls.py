"""What subspaces are compared with: linear readings, replaced heads, scikit-learn's probes, the choice of a layer."""

import numpy as np
import pandas as pd
import pytest

from memorize_jax.data import PermutedLabels
from memorize_jax.measurements.decoding.choice import choose_layers
from memorize_jax.measurements.decoding.layers import RULES, VARIANTS, choose_examples, read_layer
from memorize_jax.measurements.decoding.linear import class_means, first_components, linear_scores, replace_head
from memorize_jax.measurements.decoding.probes import PROBES, fit_probe
from memorize_jax.measurements.decoding.subspaces import classify, nearest
from tests.measurements.decoding.test_subspaces import LABELS, OTHERS, POINTS, D, P, fit

NAN = float("nan")


def test_class_means_are_unit_vectors_along_the_means():
    found = class_means(POINTS, LABELS, P + 1)
    for label in range(P):
        mean = POINTS[label == LABELS].mean(axis=0)
        np.testing.assert_allclose(found[label], mean / np.linalg.norm(mean), atol=1e-6)
    assert np.isnan(found[P]).all()


def test_first_components_of_non_negative_points_are_read_as_their_subspaces_are():
    # Perron-Frobenius: the first direction is non-negative too, so the square does not hide a sign.
    one = fit(num_components=1)
    weights = first_components(one, POINTS.mean(axis=0))
    assert (weights >= -1e-6).all()
    linear = nearest(linear_scores(weights, OTHERS))
    np.testing.assert_array_equal(linear, classify(one, OTHERS))


def test_the_mean_activation_is_on_the_positive_side_of_first_components():
    weights = first_components(fit(-POINTS, num_components=1), -POINTS.mean(axis=0))
    assert (weights @ -POINTS.mean(axis=0) > 0).all()


def test_a_class_without_examples_is_never_read_linearly():
    kept = LABELS != 1
    weights = first_components(fit(POINTS[kept], LABELS[kept]), POINTS[kept].mean(axis=0))
    assert np.isnan(weights[1]).all()
    found = nearest(linear_scores(weights, np.concatenate([OTHERS, np.zeros((1, D), np.float32)])))
    assert 1 not in found[:-1]
    assert found[-1] == -1


@pytest.mark.parametrize("bias", [True, False])
def test_a_replaced_head_has_the_weights_and_no_bias(bias):
    old = {"kernel": np.ones((D, P), np.float32)} | ({"bias": np.ones(P, np.float32)} if bias else {})
    weights = np.arange(P * D, dtype=np.float32).reshape(P, D)
    variables = {"params": {"hidden": {"kernel": 3}, "head": old}, "batch_stats": {}}
    new = replace_head(variables, "head", weights)
    np.testing.assert_array_equal(new["params"]["head"]["kernel"], weights.T)
    assert set(new["params"]["head"]) == set(old)
    assert not bias or not new["params"]["head"]["bias"].any()
    assert new["params"]["hidden"] is variables["params"]["hidden"]
    assert old["kernel"].all()
    with pytest.raises(ValueError, match=r"expected weights \(3, 20\) for the head head, got \(3, 19\)"):
        replace_head(variables, "head", weights[:, 1:])


@pytest.mark.parametrize("name", PROBES)
def test_probes_do_not_depend_on_the_unit_and_know_separate_classes(name):
    points = (np.eye(P, D)[LABELS] * 5 + POINTS * 0.1).astype(np.float32)
    predict = fit_probe(name, points, LABELS)
    np.testing.assert_array_equal(predict(points), LABELS)
    small = fit_probe(name, 1e-3 * points, LABELS)
    np.testing.assert_array_equal(small(1e-3 * OTHERS), predict(OTHERS))
    assert set(fit_probe(name, points, 0 * LABELS)(OTHERS)) == {0}


@pytest.mark.parametrize("num_features", [D, 100, 400])
def test_the_linear_discriminant_is_the_pseudoinverse_of_the_covariance_also_with_more_features_than_examples(
    num_features,
):
    rng = np.random.default_rng(0)
    features = np.maximum(POINTS @ rng.normal(size=(D, num_features)) + 0.3, 0).astype(np.float32)
    features[:, 0] = 0
    means = np.stack([features[label == LABELS].mean(axis=0, dtype=float) for label in range(P)])
    within = features - means[LABELS]
    # The formula with features at unit variance within classes; directions without variance take no part.
    spread = within.std(axis=0)
    spread = np.where(spread > 0, spread, 1)
    inverse = np.linalg.pinv(np.cov(within / spread, rowvar=False) * len(within) / (len(within) - P), rcond=1e-8)
    priors = np.bincount(LABELS) / len(LABELS)
    centers = means / spread
    scores = (features / spread) @ inverse @ centers.T - 0.5 * np.sum(centers @ inverse * centers, axis=1)
    expected = (scores + np.log(priors)).argmax(axis=1)
    found = fit_probe("lda", features, LABELS)(features)
    assert np.mean(found == expected) > 0.99
    assert np.mean(found == LABELS) > 0.5


def test_constant_features_change_no_answer_of_the_linear_discriminant():
    # As pixels that are empty in every image are, after normalization.
    constant = np.random.default_rng(0).normal(size=(1, 200)).astype(np.float32)
    more = lambda points: np.concatenate([points, np.repeat(constant, len(points), axis=0)], axis=1)
    expected = fit_probe("lda", POINTS, LABELS)(OTHERS)
    for dtype in (np.float32, np.float64):
        found = fit_probe("lda", more(POINTS).astype(dtype) / 3, LABELS)(more(OTHERS).astype(dtype) / 3)
        np.testing.assert_array_equal(found, expected)


def test_the_linear_discriminant_has_no_answer_where_nothing_differs_within_classes():
    for points in (np.zeros((len(LABELS), D)), np.eye(P, D)[LABELS]):
        assert set(fit_probe("lda", points.astype(np.float32), LABELS)(OTHERS)) == {-1}


def test_an_unknown_probe_is_refused():
    with pytest.raises(ValueError, match="expected probe to be one of lda, knn, logistic, got 'svm'"):
        fit_probe("svm", POINTS, LABELS)


def examples():
    rng = np.random.default_rng(0)
    is_permuted = np.arange(90) % 2 == 0
    assigned = np.where(is_permuted, rng.integers(0, P, 90), LABELS)
    return choose_examples(PermutedLabels(assigned, LABELS, is_permuted), LABELS, P, seed=0)


def test_parts_of_the_training_set_do_not_overlap_and_are_drawn_from_the_seed():
    drawn = examples()
    assert not set(drawn.held_in) & set(drawn.held_out)
    assert sorted([*drawn.held_in, *drawn.held_out]) == list(range(90))
    assert set(drawn.sampled) <= set(drawn.held_in)
    np.testing.assert_array_equal(drawn.held_out, examples().held_out)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_layer_is_read_by_every_method(variant):
    rows = read_layer(POINTS, OTHERS, examples(), variant)
    assert {row["method"] for row in rows} == {*RULES, "velpic", "class_mean", *PROBES}
    accuracy = {row["method"]: row for row in rows}
    labels = examples().labels.assigned if variant == "assigned" else LABELS
    expected = np.mean(np.asarray(classify(fit(labels=labels), OTHERS)) == LABELS)
    assert accuracy["masc"]["test_accuracy"] == pytest.approx(expected)
    expected = np.mean(np.asarray(classify(fit(labels=labels), POINTS)) == labels)
    assert accuracy["masc"]["train_accuracy"] == pytest.approx(expected)
    if variant == "true":
        assert all(row["validation_accuracy"] == row["clean_validation_accuracy"] for row in rows)


def test_an_unknown_kind_of_labels_is_refused():
    with pytest.raises(ValueError, match="expected variant to be one of assigned, true, got 'test'"):
        read_layer(POINTS, OTHERS, examples(), "test")


def test_the_layer_is_chosen_without_the_test_set_and_the_oracle_is_named():
    common = {"seed": 0, "epoch": 3, "method": "masc", "labels": "assigned"}
    accuracies = {
        "input": (0.5, 0.9, 0.7),
        "linear1": (0.8, 0.2, 0.6),
        "linear2": (0.8, 0.9, 0.9),
        "linear3": (NAN,) * 3,
    }
    columns = ("validation_accuracy", "clean_validation_accuracy", "test_accuracy")
    table = pd.DataFrame(
        [
            {**common, "layer": layer, "layer_number": number, **dict(zip(columns, found, strict=True))}
            for number, (layer, found) in enumerate(accuracies.items())
        ]
    )
    (row,) = choose_layers(table).to_dict("records")
    assert (row["layer"], row["test_accuracy"]) == ("linear1", 0.6)
    assert (row["clean_layer"], row["clean_test_accuracy"]) == ("input", 0.7)
    assert (row["oracle_layer"], row["oracle_test_accuracy"]) == ("linear2", 0.9)
    assert choose_layers(table.iloc[3:]).empty
