"""Subspaces: against the published procedure, invariants, and every rule for degenerate data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import data
from memorize_jax.measurements import decoding
from memorize_jax.measurements.decoding import grams, spectra, subspaces
from memorize_jax.measurements.decoding.subspaces import classify, scores, truncate
from tests.oracles import masc

P, D = 3, 20


def clouds(n=90, num_features=D, seed=0, dtype=np.float32):
    """Non-negative points of P classes with a mean and a decaying spectrum, like activations after a ReLU."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % P
    decay = np.arange(1, num_features + 1) ** -0.7
    centers = rng.uniform(size=(P, num_features))
    return np.maximum(centers[labels] + rng.normal(size=(n, num_features)) * decay, 0).astype(dtype), labels


POINTS, LABELS = clouds()
OTHERS, _ = clouds(seed=1)
RULES = [{"variance": 0.99}, {"variance": 0.75}, {"num_components": 1}, {"num_components": 4}]


def fit(points=POINTS, labels=LABELS, num_classes=P, **rule):
    return decoding.fit_subspaces(points, labels, num_classes=num_classes, **rule)


def basis(found, label):
    return np.asarray(found.directions)[np.asarray(found.owner) == label]


@pytest.fixture
def on_device(monkeypatch):
    """What accelerators do."""
    monkeypatch.setattr(subspaces, "class_directions", subspaces.directions_on_device)


# --- against the published procedure


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("num_features", [D, 70])  # more examples than features, and fewer
def test_spans_and_predictions_are_those_of_mirrored_points_and_angles(rule, num_features):
    points, labels = clouds(num_features=num_features)
    others, _ = clouds(num_features=num_features, seed=1)
    found, expected = fit(points, labels, **rule), masc.fit(points, labels, P, **rule)
    assert found.num_components.tolist() == [len(rows) for rows in expected]
    for label, rows in enumerate(expected):
        own = basis(found, label)
        np.testing.assert_allclose(own @ own.T, np.eye(len(own)), atol=1e-5)
        np.testing.assert_allclose(own.T @ own, rows.T @ rows, atol=3e-4)
    angles = masc.angles(expected, others)
    np.testing.assert_allclose(scores(found, others), np.cos(angles) ** 2, atol=1e-4)
    np.testing.assert_array_equal(classify(found, others), np.argmin(angles, axis=1))


def test_accelerators_find_the_published_spans(on_device):
    for label, rows in enumerate(masc.fit(POINTS, LABELS, P, variance=0.99)):
        own = basis(fit(), label)
        np.testing.assert_allclose(own.T @ own, rows.T @ rows, atol=3e-4)


@pytest.mark.parametrize("num_features", [D, 70])
def test_float64(x64, num_features):
    points, labels = clouds(num_features=num_features, dtype=np.float64)
    found, expected = fit(points, labels), masc.fit(points, labels, P, variance=0.99)
    assert found.directions.dtype == jnp.float64
    for label, rows in enumerate(expected):
        own = basis(found, label)
        np.testing.assert_allclose(own.T @ own, rows.T @ rows, atol=1e-10)


def test_float32_agrees_with_float64_where_a_float32_eigendecomposition_does_not():
    # A first eigenvalue ten thousand times those around the last component: activations about the origin.
    rng = np.random.default_rng(0)
    points = (30 + rng.normal(size=(600, 60)) * np.linspace(1, 0.7, 60)).astype(np.float32)
    labels = np.zeros(600, int)
    (expected,) = masc.fit(points, labels, 1, num_components=30)
    own = basis(fit(points, labels, 1, num_components=30), 0)
    error = np.abs(own.T @ own - expected.T @ expected).max()
    _, vectors = jnp.linalg.eigh(points.T @ points)
    alone = np.asarray(vectors)[:, :-31:-1]
    assert error < 0.2 * np.abs(alone @ alone.T - expected.T @ expected).max()


def test_truncating_is_fitting_with_less():
    widest = fit()
    for rule in RULES[:3]:
        less = truncate(widest, **rule)
        np.testing.assert_array_equal(less.num_components, fit(**rule).num_components)
        np.testing.assert_allclose(scores(less, OTHERS), scores(fit(**rule), OTHERS), atol=1e-5)


def test_the_share_is_the_least_that_exceeds_the_variance():
    found = fit(variance=0.9)
    for label in range(P):
        shares = np.asarray(found.variance)[np.asarray(found.owner) == label]
        assert np.sum(shares[:-1]) <= 0.9 < np.sum(shares)
    numbers = [fit(variance=share).num_components for share in (0.3, 0.6, 0.9, 0.99, 0.999)]
    assert (np.diff(numbers, axis=0) >= 0).all()


# --- invariants

ROTATION = np.linalg.qr(np.random.default_rng(2).normal(size=(D, D)))[0].astype(np.float32)
ORDER = np.random.default_rng(3).permutation(len(POINTS))


@pytest.mark.parametrize(
    ("points", "labels", "others"),
    [
        *((POINTS * np.float32(factor), LABELS, OTHERS * np.float32(factor)) for factor in (1e-30, 1e-3, -1, 1e25)),
        (POINTS @ ROTATION, LABELS, OTHERS @ ROTATION),
        (np.concatenate([POINTS, -POINTS]), np.tile(LABELS, 2), OTHERS),
        (POINTS[ORDER], LABELS[ORDER], OTHERS),
    ],
    ids=["tiny", "small", "negative", "huge", "rotated", "mirrored", "in another order"],
)
def test_what_does_not_matter(points, labels, others):
    np.testing.assert_allclose(scores(fit(points, labels), others), scores(fit(), OTHERS), atol=1e-4)


def test_one_dimensional_orthogonal_classes_are_told_apart_without_error():
    lengths = np.random.default_rng(4).normal(size=(90, 1))
    points = (np.eye(D)[LABELS] * lengths).astype(np.float32)
    np.testing.assert_array_equal(classify(fit(points), -points), LABELS)


def test_batches_do_not_matter(monkeypatch, on_device):
    expected = scores(fit(), OTHERS)
    monkeypatch.setattr(grams, "BATCH_BYTES", 1)  # 64 rows a batch
    points, labels = np.tile(POINTS, (3, 1)), np.tile(LABELS, 3)
    np.testing.assert_allclose(scores(fit(points, labels), OTHERS), expected, atol=1e-5)
    wide = np.pad(points[:90], ((0, 0), (0, 200)))  # and along features
    np.testing.assert_allclose(scores(fit(wide), np.pad(OTHERS, ((0, 0), (0, 200)))), expected, atol=1e-4)


def test_a_wide_gram_matrix_is_mirrored():
    rows = np.random.default_rng(5).normal(size=(50, 256)).astype(np.float32)
    found = grams.class_grams(np.tile(rows, (6, 1)), np.zeros(300, int), 1)
    assert not found.is_dual
    np.testing.assert_allclose(found.gram[0] * found.scale**2, 6 * rows.T @ rows, atol=1e-3)


@pytest.mark.parametrize("size", [64, 65, 500, 6000])
def test_rounding_up_costs_at_most_a_quarter(size):
    assert size <= grams.rounded_up(size) <= max(1.25 * size, size + 63)


def test_iterating_finds_what_a_full_decomposition_finds(monkeypatch, on_device):
    rng = np.random.default_rng(6)
    points = (rng.normal(size=(400, 256)) * np.arange(1, 257) ** -1.0).astype(np.float32)
    labels = np.zeros(400, int)
    expected = fit(points, labels, 1, variance=0.9)
    monkeypatch.setattr(spectra, "FULL_SIZE", 100)
    monkeypatch.setattr(spectra, "FIRST_BLOCK", 8)  # too narrow: it must grow
    found = fit(points, labels, 1, variance=0.9)
    assert found.num_components == expected.num_components
    np.testing.assert_allclose(scores(found, points), scores(expected, points), atol=3e-3)


# --- degenerate data


def test_of_equals_the_lowest_class_wins():
    points = np.concatenate([POINTS[:30], POINTS[:30]])
    twins = fit(points, np.repeat([2, 1], 30))
    assert set(np.asarray(classify(twins, OTHERS)).tolist()) == {1}


def test_what_has_no_angle_has_no_class():
    strange = np.stack([np.zeros(D), np.full(D, np.nan), np.full(D, np.inf), POINTS[0]]).astype(np.float32)
    found = classify(fit(), strange)
    assert found[:3].tolist() == [-1, -1, -1]
    assert found[3] >= 0


def test_an_empty_class_is_never_predicted():
    kept = LABELS != 1
    found = fit(POINTS[kept], LABELS[kept])
    assert found.num_components[1] == 0
    assert (scores(found, OTHERS)[:, 1] == -np.inf).all()
    assert 1 not in np.asarray(classify(found, OTHERS))


def test_a_class_of_zeros_has_no_subspace():
    points = np.where((LABELS == 0)[:, None], 0, POINTS)
    found = fit(points)
    assert found.num_components[0] == 0
    assert 0 not in np.asarray(classify(found, OTHERS))
    assert (classify(fit(0 * points), OTHERS) == -1).all()


@pytest.mark.parametrize("num_features", [D, 300])
def test_a_class_gets_no_more_components_than_it_spans(num_features):
    points, _ = clouds(n=12, num_features=num_features)
    found = fit(points, LABELS[:12], num_components=10)
    assert found.num_components.tolist() == [4, 4, 4]
    own = points[LABELS[:12] == 0]
    np.testing.assert_allclose(scores(found, own)[:, 0], 1, atol=1e-4)


def test_classify_can_be_compiled():
    np.testing.assert_array_equal(jax.jit(classify)(fit(), OTHERS), classify(fit(), OTHERS))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variance": 1.0}, "expected variance > 0 and < 1, got 1.0"),
        ({"num_components": 0}, "expected num_components >= 1, got 0"),
        ({"variance": 0.5, "num_components": 2}, "expected variance or num_components, got both"),
        ({"labels": LABELS[:-1]}, r"expected integer labels \[90\], got int64 \(89,\)"),
        ({"labels": LABELS + 1}, r"expected labels in 0 .. 2, got 1 .. 3"),
        ({"labels": LABELS.astype(float)}, "expected integer labels"),
        ({"points": POINTS[0]}, r"expected activations \[n, d\]"),
        ({"points": np.where(np.arange(90)[:, None] == 7, np.nan, POINTS)}, "got NaN or infinite values in example 7"),
        ({"num_classes": 0}, "expected num_classes >= 1, got 0"),
    ],
)
def test_bad_input_is_named(options, words):
    with pytest.raises(ValueError, match=words):
        fit(**options)


def test_activations_of_another_layer_are_refused():
    with pytest.raises(ValueError, match=rf"expected activations \[n, {D}\], got \(90, 7\)"):
        classify(fit(), OTHERS[:, :7])


# --- published numbers


def corrupted(labels, degree):
    """The authors' labels: NumPy's legacy generator, seed 42, any example with probability `degree`."""
    random = np.random.RandomState(42)
    chosen = random.rand(len(labels)) <= degree
    drawn = labels.copy()
    drawn[chosen] = random.choice(10, chosen.sum())
    return drawn


@pytest.mark.slow
@pytest.mark.parametrize(
    ("degree", "rule", "accuracy"),
    [
        (0, {"variance": 0.99}, 62.23),
        (0, {"variance": 0.75}, 68.73),
        (0, {"num_components": 1}, 66.06),
        (0.2, {"variance": 0.99}, 66.68),
        (0.4, {"variance": 0.99}, 68.75),
        (0.6, {"variance": 0.99}, 69.85),
        (0.8, {"variance": 0.99}, 68.31),
    ],
)
def test_published_accuracies_on_the_pixels_of_fashion_mnist(degree, rule, accuracy):
    try:
        train, test = data.load("fashion_mnist")
    except FileNotFoundError:
        pytest.skip("no Fashion-MNIST here")
    train_points, points = (
        np.asarray(data.standardize(jnp.asarray(each.images), data.channel_statistics(each.images, "symmetric")))
        for each in (train, test)
    )
    fitted = fit(train_points, corrupted(train.labels, degree), 10, **rule)
    found = 100 * np.mean(np.asarray(classify(fitted, points)) == test.labels)
    assert abs(found - accuracy) <= 0.05
