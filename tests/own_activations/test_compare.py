import dataclasses
import re

import numpy as np
import pytest

from memorize_jax import analyze, compare
from tests.own_activations.shared import MEASURES, OPTIONS, activations, labels_of, measured


def pair(num_examples=10):
    """Two networks: the second shows the same with less noise; only the noise differs from one example to another."""
    first = activations(num_examples)
    return first, {name: 0.8 * own + 0.2 * np.roll(own, 1, axis=1) for name, own in first.items()}


@pytest.fixture(scope="module")
def results():
    return [analyze(own, labels_of(10), repeats=4, **OPTIONS) for own in pair()]


def test_a_network_does_not_differ_from_itself(results):
    table = compare(results[0], results[0]).to_dataframe()
    assert (table[["difference", "low", "high", "standard_error"]] == 0).all(axis=None)
    assert table["a"].tolist() == table["b"].tolist()


def test_differences_are_paired(results, tmp_path):
    found = compare(*results)
    own, (a, b) = found["late"], (result.intervals.loc["late"] for result in results)
    np.testing.assert_allclose(own["difference"], a["value"] - b["value"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(own["a"], a["value"])
    unpaired = np.hypot(a["standard_error"], b["standard_error"])
    assert (own["standard_error"] / unpaired).loc[list(MEASURES)].median() < 0.8
    back = compare(*reversed(results))["late"]
    np.testing.assert_allclose(back[["low", "high"]], -own[["high", "low"]])
    assert list(found.summary().columns[:2]) == ["capacity", "radius"]
    assert "4 repeats of 3 classes" in repr(found)
    assert found._repr_html_().count("<tr") == 4
    assert len(found.plot().axes) == 5
    assert found.plot(tmp_path / "differences.svg").read_text().startswith("<?xml")
    assert len(results[0].plot().axes) == 5
    with pytest.raises(KeyError, match="expected a layer out of early, late, got 'fc'"):
        found["fc"]


def test_two_networks_measured_at_once_are_two_results_compared(results):
    late = [{"late": own["late"]} for own in pair()]
    together, apart = compare(*late, labels_of(10), repeats=4, **OPTIONS)["late"], compare(*results)["late"]
    for column in ("difference", "low", "high"):
        np.testing.assert_allclose(together[column], apart[column], rtol=2e-2, atol=2e-4)


def test_results_without_repeats_have_no_intervals(results):
    once = [dataclasses.replace(result, repeats=None) for result in results]
    found = compare(*once)
    assert found["early"].loc["radius", "reason"] == "measured once; repeats=20 gives intervals"
    assert "no intervals" in repr(found)
    expected = once[0].to_dataframe()["radius"] - once[1].to_dataframe()["radius"]
    np.testing.assert_allclose(found.to_dataframe().query("measure == 'radius'")["difference"], expected, rtol=1e-5)


CHANGES = {
    "layers": (("early", "fc"), "expected the same layers in both, got ['early', 'late'] and ['early', 'fc']; give"),
    "seed": (3, "expected the same seed in both, got 0 and 3; give both calls of analyze the same"),
    "options": ({"repeats": 9}, "expected the same repeats in both, got 4 and 9; give both calls"),
    "indices": (
        dict.fromkeys((0, 1, 4), np.arange(5)),
        "expected the same classes in both, got [0, 1, 2] and [0, 1, 4]",
    ),
}


@pytest.mark.parametrize(("field", "value", "message"), [(name, *own) for name, own in CHANGES.items()], ids=CHANGES)
def test_results_that_cannot_be_paired_say_what_differs(results, field, value, message):
    value = {**results[1].options, **value} if field == "options" else value
    with pytest.raises(ValueError, match=re.escape(message)):
        compare(results[0], dataclasses.replace(results[1], **{field: value}))


def test_other_rows_are_named_and_so_is_what_was_given_twice(results):
    other = measured(10)
    choices = list(other.repeats.choices)
    choices[2] = {label: rows[::-1] for label, rows in choices[2].items()}
    other = dataclasses.replace(other, repeats=other.repeats._replace(choices=tuple(choices)))
    with pytest.raises(ValueError, match=r"expected the same rows of class 0 in repeat 2 in both, got .*; give both"):
        compare(results[0], other)
    with pytest.raises(ValueError, match="expected two results of analyze alone, got labels, seed too"):
        compare(*results, labels_of(10), seed=1)
    with pytest.raises(ValueError, match="expected two results of analyze or two sets of activations, got one of each"):
        compare(results[0], activations(10))
    with pytest.raises(ValueError, match=r"expected the same layers in both, .*in the same order"):
        compare(activations(10), {"early": activations(10)["early"]}, labels_of(10))


def test_options_by_layer_are_those_of_both_networks():
    first, second = pair()
    name, is_taken = next(iter(first)), np.arange(len(labels_of(10))) % 10 < 8
    options = OPTIONS | {"repeats": 2}
    by_layer = compare(first, second, labels_of(10), mask={name: is_taken}, **options)
    of_all = compare(first, second, labels_of(10), mask=is_taken, **options)
    np.testing.assert_array_equal(by_layer.to_dataframe()["difference"], of_all.to_dataframe()["difference"])
    with pytest.raises(ValueError, match=f"expected mask for layers out of {name}.*, got 'nope'"):
        compare(first, second, labels_of(10), mask={"nope": is_taken}, **options)


@pytest.mark.slow
@pytest.mark.parametrize("num_examples", [5, 25])
def test_intervals_hold_what_a_large_sample_gives(num_examples):
    """Thirty tries with as many, and five times as many examples as a repeat takes, alone and paired."""

    def networks(count, seed):
        first, second = activations(count, seed), activations(count, seed + 1)
        return first, {name: 0.9 * own + 0.1 * second[name] for name, own in first.items()}

    def compared(count, seed, repeats):
        first, second = ({"late": own["late"]} for own in networks(count, seed))
        options = OPTIONS | {"repeats": repeats, "seed": seed}
        return compare(first, second, labels_of(count), **options)["late"].loc[list(MEASURES)]

    large, tries = compared(1000, 999, 200), [compared(num_examples, 2 * number, 12) for number in range(30)]
    held = np.mean(
        [(own["low"] <= large["difference"]) & (large["difference"] <= own["high"]) for own in tries], axis=0
    )
    assert (held >= 0.8).all(), held
    assert 0.9 <= held.mean() <= 0.995
