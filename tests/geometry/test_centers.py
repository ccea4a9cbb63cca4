import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from memorize_jax.geometry.centers import center_structure, mean_absolute_cosine
from tests.oracles import reference

KEY = jax.random.key(0)


def centers_of(name):
    centers = reference.points(name).mean(axis=1)
    return centers - centers.mean(axis=0)


@pytest.mark.parametrize(
    ("name", "num_components", "num_keys"),
    [
        ("digits", 2, 3),
        *(pytest.param(name, k, 5, marks=pytest.mark.slow) for name in reference.SETS for k in (1, 2, 3)),
    ],
)
def test_cost_is_at_most_the_published_tools(name, num_components, num_keys):
    centers = centers_of(name)
    gram, expected = jnp.asarray(centers @ centers.T), reference.fixed_components()[name][str(num_components)]
    for key in map(jax.random.key, range(num_keys)):
        found, again = (center_structure(gram, key=key, num_components=num_components) for _ in range(2))
        np.testing.assert_array_equal(found.coefficients, again.coefficients)
        assert found.cost <= 1.03 * expected["cost"]


def test_basis_is_orthonormal_and_cost_is_what_it_says(x64):
    centers = centers_of("lowrank_centers").astype(np.float64)
    found = center_structure(jnp.asarray(centers @ centers.T), key=KEY, num_components=3)
    basis = np.asarray(found.coefficients).T @ centers
    np.testing.assert_allclose(basis @ basis.T, np.eye(3), atol=1e-6)
    residual = centers - centers @ basis.T @ basis
    cosine = (residual @ residual.T) / np.outer(*[np.linalg.norm(residual, axis=1)] * 2)
    np.testing.assert_allclose(found.cost, 0.5 * np.sum(cosine**2), rtol=1e-6)
    expected = np.mean(np.abs(cosine[~np.eye(len(cosine), dtype=bool)]))
    np.testing.assert_allclose(found.residual_correlation, expected, rtol=1e-6)


@pytest.mark.slow
def test_finds_the_number_of_planted_directions():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(16, 2)) @ rng.normal(size=(2, 200)) * 3
    centers = shared + rng.normal(size=(16, 200))
    found = center_structure(jnp.asarray(centers @ centers.T, jnp.float32), key=KEY)
    assert int(found.num_components) == 2
    assert found.residual_correlation < 0.3 * found.center_correlation


@pytest.mark.parametrize("times", [100, 250])
def test_a_direction_that_is_hundreds_of_times_as_strong_leaves_the_others_there(times):
    """Of a hundred centers, in float32; the oracle is NumPy's mean |cos| in float64."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(100, 500)) / 500**0.5
    centers[:, 0] = times / 500**0.5 * rng.normal(size=100)
    centers -= centers.mean(0)

    def mean_cosine(vectors):
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.abs(units @ units.T)[~np.eye(100, dtype=bool)].mean()

    single = jnp.asarray(centers, jnp.float32)
    found = center_structure(jnp.matmul(single, single.T, precision="highest"), key=KEY)
    assert found.num_components == 1
    np.testing.assert_allclose(found.center_correlation, mean_cosine(centers), rtol=2e-3)
    direction = np.asarray(found.coefficients[:, :1], np.float64).T @ centers
    direction /= np.linalg.norm(direction)
    left = mean_cosine(centers - centers @ direction.T * direction)
    np.testing.assert_allclose(found.residual_correlation, left, rtol=0.05)
    assert left < 0.25


@pytest.mark.parametrize("min_components", [0, 1])
def test_removes_nothing_from_uncorrelated_centers_but_under_the_published_convention(min_components):
    found = center_structure(jnp.eye(10), key=KEY, min_components=min_components)
    assert (int(found.num_components) > 0) == min_components
    np.testing.assert_allclose(found.center_correlation, 1 / 9, rtol=1e-5)


@pytest.mark.parametrize(("num_manifolds", "bad"), [(2, 1), (10, 9), (10, -1)])
def test_impossible_number_of_components_is_named(num_manifolds, bad):
    message = rf"expected num_center_components between 0 and {num_manifolds - 2}.*got {bad}"
    with pytest.raises(ValueError, match=message):
        center_structure(jnp.eye(num_manifolds), key=KEY, num_components=bad)


def test_mean_absolute_cosine_ignores_the_diagonal_and_vanished_vectors():
    vectors = np.array([[1.0, 0], [1, 1], [0, 0], [1e-5, 1e-5]])
    np.testing.assert_allclose(mean_absolute_cosine(jnp.asarray(vectors @ vectors.T)), 0.5**0.5, rtol=1e-6)
    assert np.isnan(mean_absolute_cosine(jnp.zeros((3, 3))))


def low_rank_gram(rank, noise=0.0, num_manifolds=10, seed=0):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(num_manifolds, rank))
    errors = rng.normal(size=(num_manifolds, num_manifolds)) * noise
    return jnp.asarray(centers @ centers.T + errors + errors.T, jnp.float32)


def retained(gram, structure):
    """Share of every center's square about their mean that is left, in float64."""
    centering = np.eye(len(gram)) - 1 / len(gram)
    centered = centering @ np.asarray(gram, np.float64) @ centering
    removed = centered @ np.asarray(structure.coefficients, np.float64)
    return 1 - np.sum(removed**2, axis=1) / np.diagonal(centered)


@pytest.mark.parametrize("noise", [0.0, 1e-7])
@pytest.mark.parametrize("min_components", [0, 1])
@pytest.mark.parametrize("rank", [1, 2, 4])
def test_rank_bounds_the_number_of_components(rank, min_components, noise):
    gram = low_rank_gram(rank, noise)
    found = center_structure(gram, key=KEY, min_components=min_components)
    assert min(min_components, rank - 1) <= int(found.num_components) <= rank - 1
    assert min_components or found.residual_correlation <= found.center_correlation
    assert np.all(retained(gram, found) > 0.002)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_no_center_is_taken_away_to_make_the_others_less_correlated(seed):
    # All but the first center are orthogonal once its direction is gone.
    rng = np.random.default_rng(seed)
    centers = np.eye(10, 12) + 0.5 * np.outer(rng.normal(size=10), np.eye(12)[11])
    centers[0] = 3 * np.eye(12)[11]
    gram = jnp.asarray(centers @ centers.T, jnp.float32)
    for min_components in (0, 1):
        found = center_structure(gram, key=jax.random.key(seed), min_components=min_components)
        assert np.all(retained(gram, found) > 0.002)
        assert np.isfinite(found.residual_correlation)


def test_where_every_choice_takes_a_center_away_nothing_is_removed():
    # Three centers, two of them opposite: any single direction that is left shows no more than their line.
    line = np.array([[1.0, 0], [-1, 0], [0, 0]])
    found = center_structure(jnp.asarray(line @ line.T), key=KEY, min_components=1)
    assert int(found.num_components) == 0
    np.testing.assert_allclose([found.residual_correlation, found.center_correlation], 1, rtol=1e-5)
    assert not np.any(found.coefficients)


def test_components_beyond_the_rank_are_refused_by_name_and_inside_jit_give_nan():
    gram = low_rank_gram(3)
    with pytest.raises(ValueError, match=r"components between 0 and 2 \(rank of the centers minus 1\), got 3"):
        center_structure(gram, key=KEY, num_components=3)
    assert int(center_structure(gram, key=KEY, num_components=2).num_components) == 2
    traced = jax.vmap(lambda gram: center_structure(gram, key=KEY, num_components=3))
    found = traced(jnp.stack([gram, low_rank_gram(5)]))
    for values in (found.residual_correlation, found.cost):
        np.testing.assert_array_equal(np.isfinite(values), [False, True])
    assert np.all(np.isfinite(found.center_correlation))


@pytest.mark.slow
def test_two_equal_centers_and_one_that_is_the_mean_leave_the_rest_as_it_is():
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(8, 30))
    centers[1] = centers[0]
    centers -= centers.mean(axis=0)
    with_mean = np.concatenate([centers, np.zeros((1, 30))])
    structure = lambda some: center_structure(jnp.asarray(some @ some.T, jnp.float32), key=KEY)
    alone, beside = structure(centers), structure(with_mean)
    np.testing.assert_allclose(alone.center_correlation, beside.center_correlation, rtol=1e-4)
    assert int(alone.num_components) == int(beside.num_components)
    assert int(beside.num_components) <= 6


def scipy_cost(gram, num_components, seed=0, num_starts=6):
    """Least cost in float64 with nothing kept from vanishing: the gradient by differences, the directions by QR."""
    num = len(gram)
    centering = np.eye(num) - 1 / num
    values, vectors = np.linalg.eigh(centering @ gram @ centering)
    centers = (vectors * np.sqrt(np.maximum(values, 0)))[:, values > 1e-9 * values[-1]]

    def cost(flat):
        directions = np.linalg.qr(flat.reshape(-1, num_components))[0]
        left = centers - centers @ directions @ directions.T
        left = left / np.linalg.norm(left, axis=1, keepdims=True)
        return 0.5 * np.sum((left @ left.T) ** 2)

    rng = np.random.default_rng(seed)
    starts = rng.normal(size=(num_starts, centers.shape[1] * num_components))
    return min(scipy.optimize.minimize(cost, start).fun for start in starts)


@pytest.mark.parametrize("num_components", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_cost_is_what_scipy_finds(x64, num_components):
    rng = np.random.default_rng(4)
    centers = rng.normal(size=(9, 2)) @ rng.normal(size=(2, 60)) + 0.7 * rng.normal(size=(9, 60))
    gram = centers @ centers.T
    found = center_structure(jnp.asarray(gram), key=KEY, num_components=num_components)
    # The most stable restart within 3 % of the lowest cost, some of which SciPy's may take a center away for.
    assert scipy_cost(gram, num_components) * (1 - 1e-6) <= found.cost
    assert found.cost <= 1.03 * scipy_cost(gram, num_components)


@pytest.mark.slow
def test_no_constant_bounds_the_number_of_components_nor_is_a_chosen_one_worse_than_a_forced_one():
    rng = np.random.default_rng(5)
    shared = rng.normal(size=(100, 30)) @ rng.normal(size=(30, 500))
    centers = shared + rng.normal(size=(100, 500))
    gram = jnp.asarray(centers @ centers.T, jnp.float32)
    found, again = (center_structure(gram, key=KEY, neighbors=True) for _ in range(2))
    np.testing.assert_array_equal(found.coefficients, again.coefficients)
    num = int(found.num_components)
    assert 25 <= num <= 35
    assert found.coefficients.shape == (100, 98)
    # Neighbors are a twentieth away.
    count = lambda coefficients: int(np.sum(np.any(np.asarray(coefficients) != 0, axis=0)))
    assert [count(found.coefficients), *map(count, found.neighbors)] == [num, num - 5, num + 5]
    centering = np.eye(100) - 1 / 100
    centered = centering @ np.asarray(gram, np.float64) @ centering
    for coefficients in found.neighbors:
        products = np.asarray(coefficients, np.float64).T @ centered @ np.asarray(coefficients, np.float64)
        np.testing.assert_allclose(products, np.diag(np.round(np.diagonal(products))), atol=1e-3)
    forced = center_structure(gram, key=KEY, num_components=num)
    np.testing.assert_allclose(found.cost, forced.cost, rtol=0.03)
    for fewer in (10, 20):
        assert center_structure(gram, key=KEY, num_components=fewer).residual_correlation > found.residual_correlation


@pytest.mark.parametrize(("num_components", "there"), [(0, [False, True]), (3, [True, True]), (8, [True, False])])
def test_a_neighbor_that_there_is_not_is_not_a_number(num_components, there):
    gram = low_rank_gram(9, num_manifolds=10)
    found = center_structure(gram, key=KEY, num_components=num_components, neighbors=True)
    np.testing.assert_array_equal(np.isfinite(found.neighbors).all(axis=(1, 2)), there)


def test_half_precision_and_integers_are_searched_in_float32():
    """Programs on the host know neither: a number that they cannot read would end the process."""
    centers = centers_of("digits")[:6]
    gram = (100 * centers @ centers.T / np.mean(centers**2)).round()
    expected = center_structure(jnp.asarray(gram, jnp.float32), key=KEY)
    for given in (gram.astype(np.int32), gram.astype(int).tolist(), jnp.asarray(gram, jnp.float16)):
        found = center_structure(given, key=KEY)
        np.testing.assert_allclose(found.residual_correlation, expected.residual_correlation, rtol=2e-2)
        assert found.coefficients.dtype == jnp.float32


@pytest.mark.parametrize(
    ("gram", "options", "message"),
    [
        (np.ones((6, 14)), {}, r"expected gram \[P, P\], got \[6, 14\]"),
        (np.eye(4), {"min_components": -1}, "expected min_components >= 0, got -1"),
        (np.triu(np.ones((4, 4))), {}, r"expected inner products gram\[m, n\] = gram\[n, m\]"),
    ],
)
def test_wrong_arguments_are_named(gram, options, message):
    with pytest.raises(ValueError, match=message):
        center_structure(gram, key=KEY, **options)
