import numpy as np
import pytest

from memorize_jax import Analysis, analyze
from memorize_jax.geometry import pipeline
from memorize_jax.own_activations.coordinates import in_coordinates
from tests.own_activations.shared import MEASURES, OPTIONS, activations, labels_of, measured


@pytest.fixture(scope="module")
def once():
    return analyze(activations(10), labels_of(10), **OPTIONS)


@pytest.fixture(scope="module")
def repeated(once):
    """Twice the examples that are measured; nothing is compiled for what comes after the first measurement."""
    before = pipeline._geometry_of_layers._cache_size()
    found = measured(10)
    assert pipeline._geometry_of_layers._cache_size() == before
    return found


def test_the_first_repeat_is_the_plain_analysis_to_the_bit(once, repeated):
    of_repeats = [name for name in once.to_dataframe() if "example_" in name]
    plain = once.to_dataframe().drop(columns=of_repeats)
    assert repeated.to_dataframe()[plain.columns].equals(plain)
    assert (once.to_dataframe()["example_repeats"] == 1).all()
    assert measured(10, repeats=1).to_dataframe().equals(once.to_dataframe())
    assert once.intervals is None
    with pytest.raises(ValueError, match="expected repeats >= 1, got 0"):
        measured(10, repeats=0)


def test_all_measures_have_intervals_about_the_mean_of_the_repeats(repeated):
    table = repeated.intervals
    assert table["reason"].eq("").all()
    assert ((table["low"] < table["value"]) & (table["value"] < table["high"])).all()
    shown = repeated.to_dataframe().set_index("layer")
    for measure in MEASURES:
        every = repeated.repeats.repeated.by_layer[measure]
        np.testing.assert_allclose(every[0], shown[measure], rtol=1e-6)
        np.testing.assert_allclose(shown[f"{measure}_mean"], every.mean(axis=0))
        np.testing.assert_allclose(shown[f"{measure}_high"], table.xs(measure, level="measure")["high"])
        if f"{measure}_example_sd" in shown:
            np.testing.assert_allclose(shown[f"{measure}_example_sd"], every.std(axis=0, ddof=1))
    assert len(repeated.repeats.choices) == 4
    assert (shown["example_repeats"] == 4).all()
    assert shown[["capacity_example_sd", "joint_capacity_example_sd"]].notna().all(axis=None)
    assert repeated.summary().loc["early", "capacity"].count("[") == 1
    assert "[" in repr(repeated)
    by_class = repeated.to_dataframe(per="class")
    assert (by_class["radius_low"] < by_class["radius_high"]).all()
    # Without intervals of its own the mean of the classes' is the layer's.
    means = by_class.groupby("layer", sort=False)["radius_mean"].mean()
    np.testing.assert_allclose(means, shown["radius_mean"], rtol=1e-5)


def test_the_same_seed_gives_the_same_bits_and_layers_do_not_depend_on_each_other(repeated):
    assert measured(10).intervals.equals(repeated.intervals)
    layers = activations(10)
    other = analyze(dict(reversed(layers.items())), labels_of(10), repeats=4, **OPTIONS)
    for name in layers:
        np.testing.assert_allclose(
            other.intervals.loc[name].drop(columns="reason"),
            repeated.intervals.loc[name].drop(columns="reason"),
            rtol=1e-3,
            atol=1e-5,
        )


def test_more_examples_give_narrower_intervals():
    few, many = (measured(count, repeats=8).intervals["standard_error"] for count in (5, 60))
    assert np.nanmedian(many / few) < 0.7


def test_what_has_no_interval_says_why():
    layers, labels = activations(10), labels_of(10)
    options = {**OPTIONS, "examples_per_class": None}
    keep = np.r_[:3, 10:15, 20:25]
    few = analyze({name: own[keep] for name, own in layers.items()}, labels[keep], repeats=4, **options)
    assert few.intervals["low"].isna().all()
    assert few.intervals["reason"].eq("class 0 has 3 examples, and an interval takes 4 of every class").all()
    assert few.summary().loc["early", "radius"] == f"{few.intervals.loc[('early', 'radius'), 'value']:.3g}"
    layers["late"] = 0 * layers["late"]
    with pytest.warns(UserWarning, match="layer 'late'"):
        dead = analyze(layers, labels, repeats=4, **OPTIONS).intervals
    assert dead.loc["early", "reason"].eq("").all()
    assert dead.loc[("late", "radius"), "reason"].startswith("no number in 8 of 8 measurements: its center coincides")
    # Its directions can be counted in none of them.
    assert dead.loc["late", "low"].isna().all()


def test_repeats_are_saved(repeated, tmp_path):
    loaded = Analysis.load(repeated.save(tmp_path / "saved.npz"))
    assert loaded.intervals.equals(repeated.intervals)
    assert (
        loaded.to_dataframe(per="class")
        .drop(columns="rows")
        .equals(repeated.to_dataframe(per="class").drop(columns="rows"))
    )


def test_wide_layers_keep_their_inner_products_in_fewer_coordinates():
    rng = np.random.default_rng(0)
    rows = np.array([1, 4, 5])
    layers = {"wide": 50 + rng.normal(size=(6, 40)), "narrow": np.ones((6, 5)), "huge": np.full((6, 40), 1e200)}
    layers["dead"] = np.full((6, 40), 0.1)
    found = in_coordinates(layers, rows)
    assert found["narrow"] is layers["narrow"]
    assert not found["huge"].any()
    assert not found["dead"].any()
    assert found["wide"].shape == (6, 2)
    about = lambda points: points - points.mean(axis=0)
    grams = [about(own["wide"][rows]) @ about(own["wide"][rows]).T for own in (layers, found)]
    np.testing.assert_allclose(grams[1], grams[0], atol=1e-9)
