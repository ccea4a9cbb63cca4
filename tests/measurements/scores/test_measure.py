"""The tables of scores, and settings that cannot be."""

import base64
import shutil

import numpy as np
import pandas as pd
import pytest

from memorize_jax import open_run
from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.registry import get_measurement
from memorize_jax.measurements.scores import ScoresSettings
from memorize_jax.measurements.scores.correlations import rank_correlations
from memorize_jax.measurements.scores.memorization import influence, memorization
from memorize_jax.measurements.scores.section import SECTION
from memorize_jax.measurements.scores.subsets import subset_members
from tests.figures import invented
from tests.measurements import tiny


@pytest.fixture(scope="module")
def measured(tiny_runs, tmp_path_factory):
    folder = shutil.copytree(tiny_runs["trained"], tmp_path_factory.mktemp("scores") / "run")
    measure(get_measurement("scores"), folder, [tiny.PRESET.of("scores")])
    return open_run(folder)


def test_the_tables_follow_from_what_the_networks_get_right(measured):
    runs, scores, top = (measured.table(name) for name in ("subset_runs", "memorization_scores", "influence"))
    ratio = tiny.PRESET.of("scores").subset_ratio
    members = np.stack([subset_members(measured.labels, ratio, seed=0, subset=subset) for subset in runs["subset"]])
    correct, test_correct = (unpacked(runs[name], count) for name, count in (("correct", 48), ("test_correct", 24)))
    np.testing.assert_array_equal(unpacked(runs["members"], 48), members)
    found = memorization(members, correct)
    np.testing.assert_allclose(scores["memorization"], found.value)
    np.testing.assert_allclose(scores["standard_error"], found.standard_error)
    np.testing.assert_array_equal(scores["num_with"], members.sum(axis=0))
    np.testing.assert_array_equal(scores["assigned"], measured.labels.assigned)
    both, first = influence(members, test_correct).value, top[top["rank"] == 1]
    np.testing.assert_allclose(first["influence"], np.nanmax(both, axis=1))
    np.testing.assert_allclose(top["influence"], both[top["test_example"], top["example"]])


def unpacked(texts, count):
    bits = [np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8), count=count) for text in texts]
    return np.stack(bits).astype(bool)


def test_rank_correlations_say_the_same_order_with_one():
    scores = pd.DataFrame({"example": np.arange(5), "memorization": [0.1, 0.5, np.nan, 0.9, 0.2]})
    names = ("aum", "learned_epoch", "forgotten", "loss_best", "prediction_depth_final")
    per_example = pd.DataFrame({"example": np.arange(5), "cumulative_loss": [1.0, 5.0, 99.0, 9.0, 2.0]})
    per_example = per_example.assign(**dict.fromkeys(names, 1.0)).assign(aum=-per_example["cumulative_loss"])
    found = rank_correlations(scores, per_example)
    assert found["cumulative_loss"] == found["aum"] == pytest.approx(1.0)
    assert np.isnan(found["forgotten"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subset_ratio": 1.0}, "expected subset_ratio between 0 and 1, got 1.0"),
        ({"subsets": 66}, "expected subsets such that every example is in and out of 20 of the subsets on average"),
        ({"subset_learning_rate": 0.0}, "expected subset_learning_rate > 0, got 0.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, message):
    ScoresSettings(subsets=67).validate()
    with pytest.raises(ValueError, match=message):
        ScoresSettings(**changes).validate()


@pytest.mark.parametrize(
    ("name", "changes", "advice"),
    [
        ("scores", {"subsets": 10**9}, "lower --subsets"),
        ("few_shot", {"few_shot_draws": 10**9}, "lower --few_shot_draws"),
    ],
)
def test_what_does_not_fit_into_memory_is_refused_before_anything_is_done(tiny_runs, tmp_path, name, changes, advice):
    folder = shutil.copytree(tiny_runs["trained"], tmp_path / "run")
    settings = tiny.PRESET.replace(name, **changes).of_all(get_measurement(name))
    with pytest.raises(ValueError, match=f"{name} with these settings would take .* of memory, .*{advice}"):
        measure(get_measurement(name), folder, settings)


@pytest.mark.parametrize(("lacking", "said"), [(0, "score; 1 is"), (3, "score (3 of 40 have none); 1 is")])
def test_the_table_says_how_many_examples_have_no_score(lacking, said):
    scores = invented.SHOWN.tables["memorization_scores"]
    scores = scores.assign(memorization=scores["memorization"].mask(scores["example"] < lacking))
    view = SECTION.views["memorization_scores"][1](invented.changed(invented.SHOWN, memorization_scores=scores))
    assert f"over all training examples with a memorization {said} the same order" in view.note
