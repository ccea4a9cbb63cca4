import jax
import numpy as np
import pytest

from memorize_jax.own_activations.intervals import interval_of, overlap_of
from memorize_jax.own_activations.parts import choose_parts, plan_parts
from memorize_jax.statistics import student_t_interval

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


def test_repeats_that_share_nothing_have_the_interval_of_a_mean():
    values = RNG.normal(size=(6, 3))
    found, expected = interval_of(values, values[None], 0.0), student_t_interval(values)
    np.testing.assert_allclose([found.low, found.high], [expected.low, expected.high])


def test_where_all_examples_are_measured_every_time_they_add_the_variance_of_one_measurement():
    parts = RNG.normal(size=(4, 2, 3))
    found = interval_of(np.ones((5, 3)), parts, 1.0, 0.5)
    np.testing.assert_allclose(found.standard_error**2, 0.5 * np.mean((parts[:, 0] - parts[:, 1]) ** 2 / 2, axis=0))
    assert np.all(found.low < 1)
    assert np.all(found.high > 1)


def test_no_spread_no_width_and_no_number_no_interval():
    same = interval_of(np.ones((3, 1)), np.ones((1, 2, 1)), 1.0)
    assert [leaf.item() for leaf in same] == [1, 1, 1, 0]
    assert all(np.isnan(leaf) for leaf in interval_of(np.array([1, np.nan]), np.ones((1, 2)), 1.0))


def test_overlap_is_that_of_pairs_of_repeats():
    choices = [{"a": np.array(own), "b": np.array([7, 8])} for own in ([1, 2], [3, 4], [1, 4])]
    # Of three pairs two have one of two examples of "a" in common, all have all of "b".
    np.testing.assert_allclose(overlap_of(choices), [1 / 3, 1])


@pytest.mark.parametrize("times", [1, 2, 5])
def test_it_is_calibrated_for_a_mean_of_examples_with_draws(times):
    """Measures of M = 4 examples of each of two classes, of `times` as many; the large-sample value is 0."""
    tries, repeats, size = 300, 10, 4
    there = np.full(2, times * size)
    plan, hits = plan_parts(there, np.full(2, size), repeats), 0
    share = plan.taken[0] / size
    for number in range(tries):
        rng = np.random.default_rng([times, number])
        examples = rng.normal(size=2 * times * size)
        rows = {label: np.arange(times * size) + label * times * size for label in range(2)}
        turns = [{c: rng.permutation(own).reshape(times, size) for c, own in rows.items()} for _ in range(repeats)]
        choices = [{c: own[place] for c, own in turn.items()} for turn in turns for place in range(times)][:repeats]
        measure = lambda chosen, draws, examples=examples: sum(examples[own].mean() for own in chosen.values()) + draws
        draws = rng.normal(size=repeats)
        repeated = np.array([measure(chosen, own) for chosen, own in zip(choices, draws, strict=True)])
        parts = np.empty((plan.num_rounds, plan.num_sets))
        for own, draw in zip(parts, draws, strict=False):
            orders = [rng.permutation(of)[: plan.num_sets * plan.taken[0]] for of in rows.values()]
            sets = np.stack([order.reshape(plan.num_sets, -1) for order in orders], axis=1)
            own[:] = [measure(dict(enumerate(one)), draw) for one in sets]
        found = interval_of(repeated, parts, overlap_of(choices).mean(), share)
        hits += found.low <= 0 <= found.high
    assert 0.92 < hits / tries < 0.985


def test_parts_share_no_example_and_the_first_is_the_repeat():
    rows = {"a": np.arange(11), "b": np.arange(20, 40)}
    chosen = {"a": np.array([3, 1, 4]), "b": np.array([21, 30, 25])}
    plan = plan_parts(np.array([11, 20]), np.array([3, 3]), 20)
    assert (plan.taken.tolist(), plan.num_sets, plan.num_rounds, plan.is_whole) == ([3, 3], 3, 5, True)
    sets = choose_parts(rows, chosen, plan, KEY, 1)
    assert all(np.array_equal(own, chosen[label]) for label, own in sets[0].items())
    for label, there in rows.items():
        taken = np.concatenate([own[label] for own in sets])
        assert len(set(taken.tolist())) == 9
        assert set(taken.tolist()) <= set(there.tolist())
    again = choose_parts(rows, chosen, plan, KEY, 2)
    assert not np.array_equal(again[1]["b"], sets[1]["b"])


def test_where_repeats_take_all_parts_are_halves():
    plan = plan_parts(np.array([9, 30]), np.array([9, 12]), 8)
    assert (plan.taken.tolist(), plan.num_sets, plan.num_rounds, plan.is_whole) == ([4, 12], 2, 4, False)
    assert plan_parts(np.array([3, 30]), np.array([3, 12]), 8).num_rounds == 0
