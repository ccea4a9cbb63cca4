"""Similarity of a run's layers: the table against NumPy, another run, and what is refused."""

import shutil

import numpy as np
import pytest

from memorize_jax import open_run
from memorize_jax.activations import flat_reader, run_in_batches
from memorize_jax.measurements.driver import is_measured, measure
from memorize_jax.measurements.registry import get_measurement
from memorize_jax.measurements.similarity import GROUPS, SimilaritySettings
from memorize_jax.measurements.similarity.chosen import between_layers, between_runs, over_epochs
from memorize_jax.runs.folder import RunFolder
from tests.measurements.similarity.test_cka import twin

ROOM = get_measurement("similarity")


@pytest.fixture(scope="module")
def compared(smoke_run, tmp_path_factory):
    """A run that was compared with a copy of itself, and its table."""
    folder, other = (shutil.copytree(smoke_run, tmp_path_factory.mktemp("similarity") / name) for name in ("own", "b"))
    # More than there are of any group, so that all of them are taken.
    settings = SimilaritySettings(similarity_epochs="0,best,final", similarity_examples=2000, other=str(other))
    return folder, settings, measure(ROOM, folder, [settings])


def activations(run, epoch, group):
    permuted, splits = run.labels.is_permuted, run.splits
    images = {"unpermuted": splits.train.images[~permuted], "permuted": splits.train.images[permuted]}
    read = flat_reader(run.model(), run.statistics, tuple(run.layers)[1:])
    return run_in_batches(read, run.network(epoch), images.get(group, splits.test.images), tuple(run.layers))


def test_the_table_equals_numpy(compared):
    folder, _, table = compared
    run = open_run(folder)
    best, final = run.best_epoch, run.final_epoch
    assert set(table["group"]) == set(GROUPS)
    for group in ("permuted", "test"):
        first, last = activations(run, best, group), activations(run, 0, group)
        rows = over_epochs(table, {0: best}).query("epoch_a == 0 and group == @group").set_index("layer_a")
        for layer in run.layers:
            expected = twin(first[layer].astype(float), last[layer].astype(float))
            np.testing.assert_allclose(rows.loc[layer, ["cka", "cka_debiased"]].astype(float), expected, rtol=2e-4)
        assert rows["num_examples"].unique() == len(first["input"])
        pair = between_layers(table, {0: best}).query("layer_a == 'linear1' and layer_b == 'linear6'")
        expected = twin(first["linear1"].astype(float), first["linear6"].astype(float))
        found = pair.query("group == @group")[["cka", "cka_debiased"]].to_numpy()
        np.testing.assert_allclose(found, [expected], rtol=2e-4)
    assert len(between_layers(table, {0: final})) == len(GROUPS) * len(run.layers) ** 2
    assert (table["status"] == 0).all()
    own = table[(table["layer_a"] == table["layer_b"]) & (table["epoch_a"] == table["epoch_b"])]
    np.testing.assert_allclose(own[["cka", "cka_debiased"]], 1.0, rtol=1e-5)
    assert not table.duplicated([name for name in table if name not in ("cka", "cka_debiased", "status")]).any()


def test_a_copy_is_the_same_at_the_best_and_the_final_epoch(compared):
    folder, settings, table = compared
    run = open_run(folder)
    stages = {"best": {0: run.best_epoch}, "final": {0: run.final_epoch}}
    for stage, epochs in stages.items():
        rows, epoch = between_runs(table, stage, stages), epochs[0]
        assert len(rows) == len(GROUPS) * len(run.layers)
        assert (rows["epoch_b"] == epoch).all()
        np.testing.assert_allclose(rows["cka_debiased"], 1.0, rtol=1e-5)
    assert (rows["permuted_fraction_b"].unique(), rows["seed_b"].unique()) == (run.config.permuted_fraction, 0)
    assert is_measured(ROOM, RunFolder(folder), [settings])


def test_the_best_epochs_are_compared_though_one_is_also_the_last(smoke_run, tmp_path, monkeypatch):
    # A run whose best epoch is its last, and another one, which went on beyond its best.
    folder, other = (shutil.copytree(smoke_run, tmp_path / name) for name in ("own", "other"))
    run = open_run(folder)
    best, final = 1, run.final_epoch
    monkeypatch.setattr(type(run), "best_epoch", property(lambda own: best if own.folder.workdir == other else final))
    settings = SimilaritySettings(similarity_epochs="best,final", similarity_examples=50, other=str(other))
    table, stages = measure(ROOM, folder, [settings]), {stage: {0: final} for stage in ("best", "final")}
    for stage, epoch_b in (("best", best), ("final", final)):
        rows = between_runs(table, stage, stages)
        assert len(rows) == len(GROUPS) * len(run.layers)
        assert (set(rows["epoch_a"]), set(rows["epoch_b"])) == ({final}, {epoch_b})
    # Tables of before have the final epochs alone: nothing is known of the best ones.
    before = table[table["own_stage"] != "best"].assign(own_stage=np.nan)
    assert between_runs(before, "best", stages).empty
    assert len(between_runs(before, "final", stages)) == len(GROUPS) * len(run.layers)


def test_another_network_is_refused(smoke_run, tmp_path, monkeypatch):
    folder = shutil.copytree(smoke_run, tmp_path / "run")
    other = open_run(smoke_run)
    # As if it were a run of the same data: no other network has been trained here.
    changed = type(other)(other.folder, other.noted._replace(config=type(other.config)(model="vgg16")))
    monkeypatch.setattr(type(other), "open_other", lambda run, workdir: changed)
    with pytest.raises(ValueError, match=r"expected .* to hold a run of mlp, got vgg16"):
        measure(ROOM, folder, [SimilaritySettings(other=str(smoke_run))])
