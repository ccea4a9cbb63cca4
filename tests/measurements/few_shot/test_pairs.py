"""Few-shot geometry: against explicit covariances, its invariances, and against few-shot learning itself."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from memorize_jax.analysis import products
from memorize_jax.geometry.status import COINCIDE, NOT_FINITE, TOO_FEW
from memorize_jax.measurements.few_shot import FewShotSettings
from memorize_jax.measurements.few_shot.measure import summaries
from memorize_jax.measurements.few_shot.network import few_shot
from memorize_jax.measurements.few_shot.pairs import frames, pair_geometry, predicted_error, signal_to_noise
from memorize_jax.measurements.few_shot.prototypes import draw_prototypes, simulated_errors

UNSCALED = products.Scale(jnp.zeros((1, 1)), jnp.ones(()))


def explicit(a, b, m):
    """Everything from covariance matrices; the last two are both signal-to-noise ratios."""
    centers, radius = (a.mean(0), b.mean(0)), [np.mean(np.sum((x - x.mean(0)) ** 2, 1)) for x in (a, b)]
    s_a, s_b = (np.cov(x.T, bias=True) for x in (a, b))
    delta, r2 = centers[0] - centers[1], radius[0]
    found = {"signal": delta @ delta / r2, "bias": radius[1] / r2 - 1, "dimension": r2**2 / np.trace(s_a @ s_a)}
    found |= {"csa": delta @ s_a @ delta / r2**2, "csb": delta @ s_b @ delta / r2**2}
    found |= {"ss": np.trace(s_a @ s_b) / r2**2, "spread": np.trace(s_b @ s_b) / r2**2}
    noise = 1 / (found["dimension"] * m) + found["csa"] + (found["csb"] + found["ss"]) / m
    norms = (1 / found["dimension"] + found["spread"]) / (2 * m**2)
    top = (found["signal"] + found["bias"] / m) / 2
    return found, top / np.sqrt(noise), top / np.sqrt(noise + norms)


@jax.jit
def of_pair(a, b):
    rows = [frames(points, UNSCALED) for points in (a, b)]
    return pair_geometry(rows[0] @ rows[0].T, rows[0] @ rows[1].T, rows[1] @ rows[1].T)


def classes(number=2, offset=0.0):
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(number, 6, 9))
    return rng.normal(size=(number, 15, 6)) @ axes + 2 * rng.normal(size=(number, 1, 9)) + offset


@pytest.mark.parametrize("m", [1, 5])
def test_it_equals_explicit_covariances(m, x64):
    a, b = classes(offset=50.0)
    found, (numbers, paper, full) = of_pair(a, b), explicit(a, b, m)
    for name, value in numbers.items():
        np.testing.assert_allclose(getattr(found, name), value, rtol=1e-9, err_msg=name)
    ratios = signal_to_noise(found, m)
    np.testing.assert_allclose(ratios, (paper, full), rtol=1e-9)
    np.testing.assert_allclose(predicted_error(ratios.full), stats.norm.sf(full), rtol=1e-9)


def test_rotation_scale_and_translation_change_nothing(x64):
    a, b = classes()
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(9, 9)))[0]
    for one, other in zip(of_pair(a, b), of_pair(*(1e3 * x @ rotation + 7 for x in (a, b))), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-8)


def test_simulated_errors_equal_a_loop(x64):
    a, b = classes()
    weights = np.asarray(draw_prototypes(jax.random.key(0), (2, 15), 3, 8))
    rows = [frames(jnp.asarray(points), UNSCALED) for points in (a, b)]
    found = simulated_errors(rows[0] @ rows[0].T, rows[0] @ rows[1].T, rows[1] @ rows[1].T, *map(jnp.asarray, weights))
    for draw, (own, other) in enumerate(zip(*weights, strict=True)):
        assert np.sort(own)[-4:].tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3])
        left = a[own == 0]
        distances = [np.linalg.norm(left - prototype, axis=1) for prototype in (own @ a, other @ b)]
        assert found[draw] == pytest.approx(np.mean(distances[0] > distances[1]), abs=1e-12)


def layers_of(points):
    """Points as they are, and as a second layer with fewer features."""
    return {"first": points, "second": jnp.maximum(points[:, :5], 0)}


def measured(points):
    # A program of its own each time: the size of a block is part of it.
    own = functools.partial(few_shot, layers_of, key=jax.random.key(0), shots=(1, 2), num_draws=4)
    return jax.jit(lambda points: own(points))(points)


def test_classes_in_blocks_are_as_all_at_once(monkeypatch):
    points = classes(5).astype(np.float32)
    whole = measured(points)
    monkeypatch.setattr(products, "BLOCK_BYTES", 4 * 14 * 30)
    assert products.examples_per_block(75, 14, 2, multiple=15) == 15
    apart = ~np.eye(5, dtype=bool)
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(measured(points)), strict=True):
        keep = (..., apart) if one.shape[-1] == 5 else ...
        np.testing.assert_allclose(one[keep], other[keep], rtol=2e-4, atol=1e-6)
    a, b = points[3].astype(float), points[1].astype(float)
    np.testing.assert_allclose(whole.pairs.csb[0, 3, 1], explicit(a, b, 1)[0]["csb"], rtol=1e-4)


def check_pairs(found, points, places):
    """Compares ordered pairs of classes with float64 covariances of the same points."""
    for a, b in places:
        expected, *_ = explicit(points[a].astype(float), points[b].astype(float), 1)
        for name, value in expected.items():
            np.testing.assert_allclose(getattr(found.pairs, name)[0, a, b], value, rtol=3e-5, err_msg=name)
        assert found.pairs.status[0, a, b] == 0


@pytest.mark.parametrize("far", [1e2, 1e4, np.inf, np.nan])
def test_an_example_far_from_all_others_changes_no_pair_of_other_classes(far):
    points = classes(4).astype(np.float32)
    without = measured(points)
    points[0, 0] += far
    found, others = measured(points), [(a, b) for a in (1, 2, 3) for b in (1, 2, 3) if a != b]
    check_pairs(found, points, others)
    for a, b in others:
        np.testing.assert_array_equal(found.errors[0, :, a, b], without.errors[0, :, a, b])
    if np.isfinite(far):
        check_pairs(found, points, [(0, 1), (1, 0)])
    else:
        assert found.pairs.status[0, 0, 1] == NOT_FINITE


def test_a_class_much_smaller_than_the_others_has_its_numbers_or_a_reason():
    points = classes(3)
    points[1] -= points[1].mean(0)
    small = np.stack([points[0], 1e-8 * points[1], points[2]]).astype(np.float32)
    check_pairs(measured(small), small, [(1, 0), (1, 2), (0, 2)])
    smaller = np.stack([points[0], 1e-11 * points[1], points[2]]).astype(np.float32)
    found, (expected, *_) = measured(smaller).pairs, explicit(*smaller[[1, 0]].astype(float), 1)
    for name in ("signal", "bias", "dimension", "csa", "ss"):
        np.testing.assert_allclose(getattr(found, name)[0, 1, 0], expected[name], rtol=3e-5, err_msg=name)
    # No number of float32 is as large.
    assert expected["csb"] > np.finfo(np.float32).max
    assert (np.isnan(found.csb[0, 1, 0]), found.status[0, 1, 0], found.status[0, 0, 2]) == (True, COINCIDE, 0)


def ellipsoids(key, distance):
    """Ten classes of 300 points about random centers, R from 1.8 to 2.1 in 30 directions of unequal length."""
    keys = jax.random.split(key, 3)
    lengths = jax.random.uniform(keys[0], (10, 1, 30), minval=0.05, maxval=0.6)
    centers = distance * jax.random.normal(keys[1], (10, 1, 30)) / np.sqrt(30)
    return centers + lengths * jax.random.normal(keys[2], (10, 300, 30))


def test_the_full_formula_predicts_the_error_of_gaussian_ellipsoids():
    run = jax.jit(functools.partial(few_shot, lambda x: {"": x}, shots=(1, 5), num_draws=20))
    found = [jax.device_get(run(ellipsoids(jax.random.key(1), own), jax.random.key(0))) for own in (1.0, 1.5)]
    (one, five), (far, _) = (summaries(own, (1, 5), 300)[0] for own in found)
    for row in (one, five, far):
        assert row["simulated"] > 0.05
        assert abs(row["predicted_full"] / row["simulated"] - 1) < 0.15
    # The term that the paper leaves out is what one shot needs.
    assert far["predicted_paper"] < 0.8 * far["simulated"]
    assert five["correlation"] > 0.9


def test_what_cannot_be_had_is_nan_with_a_reason():
    points = classes(3).astype(np.float32)
    run = jax.jit(functools.partial(few_shot, layers_of, key=jax.random.key(0), shots=(14, 15), num_draws=20))
    found = lambda points: summaries(jax.device_get(run(examples=points)), (14, 15), 15)[0]
    # Two classes make two pairs, and any two points lie on a line.
    assert np.isfinite(found(points)[0]["correlation"])
    assert np.isnan(found(points[:2])[0]["correlation"])
    # No example is left to be told apart.
    few, none = found(points)
    assert (few["status"], np.isfinite(few["simulated"])) == (0, True)
    assert (none["status"], np.isnan(none["simulated"]), np.isfinite(none["predicted_full"])) == (TOO_FEW, True, True)
    points[0] = 1 / 3
    row, _ = found(points)
    assert (row["status"], np.isnan(row["signal"]), np.isnan(row["predicted_full"])) == (COINCIDE, True, True)
    points[0, 0] = np.nan
    row, _ = found(points)
    assert row["status"] == NOT_FINITE
    assert all(np.isnan(value) for name, value in row.items() if name != "status")


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="expected at least 2 classes, got 1"):
        measured(classes(1))


@pytest.mark.parametrize("shots", ["0", "1,1", "few", "1,-2", ""])
def test_numbers_of_shots_are_checked(shots):
    with pytest.raises(ValueError, match="expected few_shot_shots to be different numbers >= 1, got"):
        FewShotSettings(few_shot_shots=shots).validate()
