"""Every example of the smoke preset's run, against NumPy; runs with networks missing; ensembles; ranked examples."""

import dataclasses
import shutil

import numpy as np
import pytest
from scipy.spatial.distance import cdist

import memorize_jax
from memorize_jax.claims.sheet import evaluate
from memorize_jax.figures.figure import missing
from memorize_jax.figures.images import decode_image
from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.per_example import MEASUREMENT, PerExampleSettings
from memorize_jax.measurements.per_example.epoch_lists import missing_epochs
from memorize_jax.measurements.registry import open_study
from memorize_jax.runs.run import open_run
from tests.measurements import tiny

SETTINGS = [PerExampleSettings(depth_neighbors=5)]


@pytest.fixture(scope="module")
def measured(smoke_run, tmp_path_factory):
    folder = shutil.copytree(smoke_run, tmp_path_factory.mktemp("smoke") / "run")
    return open_run(folder), measure(MEASUREMENT, folder, [PerExampleSettings()])


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """A folder of two seeds that keep every other network, measured."""
    folder = tmp_path_factory.mktemp("seeds") / "runs"
    for seed in (0, 1):
        config = dataclasses.replace(tiny.CONFIG, seed=seed, keep="every:2", epochs=4)
        measure(MEASUREMENT, tiny.trained(folder / f"seed_{seed}", config), SETTINGS)
    return folder


@pytest.fixture
def copied(tiny_runs, tmp_path):
    return shutil.copytree(tiny_runs["trained"], tmp_path / "run")


def layers_of(network, inputs):
    """Input and all layers of a multi-layer perceptron, in float64."""
    shown = [inputs]
    for number in range(1, 7):
        held = network["params"][f"linear{number}"]
        after = shown[-1] @ held["kernel"].astype(float) + held["bias"].astype(float)
        shown.append(np.maximum(after, 0) if number < 6 else after)
    return shown


def inputs_of(run):
    images = run.splits.train.images.astype(float)
    return ((images - images.mean((0, 1, 2))) / images.std((0, 1, 2))).reshape(len(images), -1)


def test_the_scores_are_those_of_a_network_in_numpy(measured):
    run, table = measured
    inputs, assigned = inputs_of(run), run.labels.assigned
    logits = np.stack([layers_of(run.network(epoch), inputs)[-1] for epoch in range(5)])
    rows = np.arange(len(assigned))
    losses = np.log(np.exp(logits).sum(axis=2)) - logits[:, rows, assigned]
    given, others = logits[:, rows, assigned], logits.copy()
    others[:, rows, assigned] = -np.inf
    right = logits.argmax(axis=2) == assigned
    learned = [next((epoch for epoch in range(5) if right[epoch:, i].all()), 5) for i in rows]
    for stage, epoch in (("best", run.best_epoch), ("final", 4)):
        np.testing.assert_allclose(table[f"loss_{stage}"], losses[epoch], rtol=1e-4)
        np.testing.assert_array_equal(table[f"predicted_{stage}"], logits[epoch].argmax(axis=1))
    np.testing.assert_allclose(table["cumulative_loss"], losses.sum(axis=0), rtol=1e-4)
    np.testing.assert_allclose(table["aum"], (given - others.max(axis=2)).mean(axis=0), atol=1e-4)
    np.testing.assert_array_equal(table["learned_epoch"], learned)
    np.testing.assert_allclose(table["loss_final"].mean(), run.metrics["loss"].iloc[-1], rtol=1e-5)
    assert (table["predicted_final"] == assigned).mean() == pytest.approx(run.metrics["train_accuracy"].iloc[-1])
    assert (table["num_epochs"].unique(), table["num_probes"].unique()) == ([5], [7])


def test_the_depth_is_that_of_all_distances(measured):
    run, table = measured
    shown, labels = layers_of(run.network(4), inputs_of(run)), run.labels.assigned
    agrees = []
    for points in shown:
        distances = cdist(points, points)
        np.fill_diagonal(distances, np.inf)
        nearest = np.argpartition(distances, 30, axis=1)[:, :30]
        votes = [np.bincount(labels[own], minlength=10).argmax() for own in nearest]
        agrees.append(votes == shown[-1].argmax(axis=1))
    last = [max((layer + 1 for layer in range(7) if not agrees[layer][i]), default=0) for i in range(len(labels))]
    # Distances that are equal but for rounding are in another order.
    assert np.mean(table["prediction_depth_final"] == last) > 0.99


def test_images_have_their_own_pixels_and_the_ends_of_the_ranking(measured):
    run, table = measured
    shown, by_example = run.table("per_example_images"), table.set_index("example")
    assert shown["memorized"].tolist() == ["most"] * 12 + ["least"] * 12
    for row in shown.itertuples():
        np.testing.assert_array_equal(decode_image(row), run.splits.train.images[row.example])
        assert (row.true, row.assigned) == tuple(by_example.loc[row.example, ["true", "assigned"]])
    learned = table.loc[table["predicted_final"] == table["assigned"], "cumulative_loss"].sort_values()
    np.testing.assert_allclose(shown["cumulative_loss"], [*learned[::-1][:12], *learned[:12]])


def test_examples_are_ranked_as_users_of_cleanlab_know(measured):
    run, table = measured
    found = memorize_jax.find_label_errors(run.workdir)
    assert found.columns[:4].tolist() == ["is_label_issue", "label_score", "given_label", "predicted_label"]
    assert found["label_score"].between(0, 1).all()
    assert found["label_score"].is_monotonic_increasing
    assert found.index.tolist() == table.sort_values("cumulative_loss", kind="stable", ascending=False).index.tolist()
    np.testing.assert_array_equal(found["given_label"], run.labels.assigned[found.index])
    np.testing.assert_array_equal(found["is_label_issue"], found["predicted_label"] != found["given_label"])
    best = memorize_jax.find_label_errors(run.workdir, score="loss_best")
    np.testing.assert_allclose(best["label_score"], np.exp(-table["loss_best"][best.index]))
    with pytest.raises(ValueError, match=r"expected score to be one of cumulative_loss, .*, got 'depth'"):
        memorize_jax.find_label_errors(run.workdir, score="depth")


def test_what_was_not_measured_is_a_command(copied):
    with pytest.raises(ValueError, match=r"no table .*per_example.csv; make it with: .*per_example --workdir="):
        memorize_jax.find_label_errors(copied)
    asked, splits = PerExampleSettings(depth_neighbors=48), tiny.load()
    with pytest.raises(ValueError, match="expected depth_neighbors below 48, the training examples, got 48"):
        MEASUREMENT.check(tiny.CONFIG, splits, None, asked)
    with pytest.raises(ValueError, match="expected depth_neighbors below 48, the training examples, got 48"):
        measure(MEASUREMENT, copied, [asked])


def test_epochs_that_are_not_kept_or_damaged_are_named(seeds, tmp_path, capsys):
    folder = shutil.copytree(seeds / "seed_0", tmp_path / "run")
    run = open_run(folder)
    stored = len(run.stored_epochs)
    assert stored < 5
    assert missing_epochs(open_study(folder)).startswith(f"Examples were followed at {stored} of 5 epochs: the run")
    shutil.rmtree(run.folder.checkpoints / "epochs" / str(run.best_epoch))
    table = measure(MEASUREMENT, folder, SETTINGS, skip_damaged=True)
    said = capsys.readouterr().err
    assert f"followed at {stored} of 5 epochs; the run keeps no network of epoch" in said
    assert f"no checkpoint of epoch {run.best_epoch} " in said
    assert table[["loss_best", "prediction_depth_best"]].isna().all(axis=None)
    assert (table["predicted_best"] == -1).all()
    assert np.isfinite(table[["aum", "cumulative_loss"]]).all(axis=None)
    assert f"1 of the {stored} networks that it keeps were damaged" in missing_epochs(open_study(folder))
    with pytest.raises(ValueError, match="its network was damaged"):
        memorize_jax.find_label_errors(folder)


def test_without_the_final_network_nothing_is_said_of_what_was_learned(seeds, tmp_path):
    folder = shutil.copytree(seeds / "seed_0", tmp_path / "run")
    run = open_run(folder)
    assert run.best_epoch != run.final_epoch
    shutil.rmtree(run.folder.checkpoints / "epochs" / str(run.final_epoch))
    table = measure(MEASUREMENT, folder, SETTINGS, skip_damaged=True)
    assert table[["learned_epoch", "loss_final", "prediction_depth_final"]].isna().all(axis=None)
    assert len(memorize_jax.find_label_errors(folder)) == len(table)
    with pytest.raises(ValueError, match=r"expected loss_final of every example .*a network was damaged"):
        memorize_jax.find_label_errors(folder, score="loss_final")
    study = open_study(folder)
    for figure in MEASUREMENT.figures:
        assert figure.obstacle(study).startswith("the final network was damaged")
    assert MEASUREMENT.section.facts(study)["learned"] is None


@pytest.mark.parametrize(
    ("mislabeled", "said"),
    [
        # Half of them by epochs 2 and 4; the last epoch is 4, so 5 is never.
        ((2, 4), "by epoch 3"),
        ((2, 5), "not by the last epoch of seed 1"),
        ((5, 5), "not by the last epoch"),
        ((2, np.nan), None),
    ],
)
def test_what_half_of_a_group_never_learns_has_no_epoch(seeds, mislabeled, said):
    study = open_study(seeds)
    assert set(study.epochs_of("final").values()) == {4}
    table = study.tables["per_example"].assign(learned_epoch=1.0)
    for seed, epoch in enumerate(mislabeled):
        table.loc[(table["seed"] == seed) & (table["assigned"] != table["true"]), "learned_epoch"] = epoch
    facts = MEASUREMENT.section.facts(study._replace(tables=study.tables | {"per_example": table}))
    assert facts["learned"] == (said and {"unpermuted": "by epoch 1", "mislabeled": said})


@pytest.mark.parametrize(
    ("permuted", "scores", "said"),
    [
        (0.9, {"loss_best": 0.9, "prediction_depth_best": 0.6, "loss_final": 0.6, "prediction_depth_final": 0.9}, True),
        (
            0.9,
            {"loss_best": 0.9004, "prediction_depth_best": 0.9, "loss_final": 0.9, "prediction_depth_final": 1},
            False,
        ),
        (
            0.3,
            {"loss_best": 0.9, "prediction_depth_best": 0.6, "loss_final": 0.6, "prediction_depth_final": 0.9},
            False,
        ),
    ],
)
def test_scores_change_places_by_more_than_chance_and_in_a_network_that_memorized(seeds, permuted, scores, said):
    study = open_study(seeds)
    auroc, metrics = study.tables["per_example_auroc"], study.tables["metrics"]
    auroc = auroc.assign(auroc=auroc["score"].map(scores).fillna(0.5))
    metrics = metrics.assign(permuted_accuracy=permuted, restored_accuracy=0.1)
    tables = study.tables | {"per_example_auroc": auroc, "metrics": metrics}
    assert MEASUREMENT.section.facts(study._replace(tables=tables))["change_places"] == said


def test_a_seed_without_a_score_is_in_no_mean_over_seeds(seeds):
    study = open_study(seeds)
    auroc = study.tables["per_example_auroc"]
    assert MEASUREMENT.section.facts(study)["auroc"]["aum"] == f"{auroc[auroc['score'] == 'aum']['auroc'].mean():.3f}"
    gone = auroc.assign(auroc=auroc["auroc"].mask((auroc["seed"] == 1) & (auroc["score"] == "aum")))
    assert MEASUREMENT.section.facts(study._replace(tables=study.tables | {"per_example_auroc": gone}))["auroc"] is None


def test_without_neighbors_or_wrong_labels_the_rest_is_there(tiny_runs, tmp_path):
    folder = shutil.copytree(tiny_runs["unpermuted"], tmp_path / "run")
    table = measure(MEASUREMENT, folder, [PerExampleSettings(depth_neighbors=0)])
    assert table["prediction_depth_final"].isna().all()
    assert np.isfinite(table["aum"]).all()
    assert open_run(folder).table("per_example_auroc")["auroc"].isna().all()
    study = open_study(folder)
    assert MEASUREMENT.figures[0].draw(study, tmp_path / "one.svg").stat().st_size > 0
    assert MEASUREMENT.section.facts(study)["auroc"] is None


def test_several_seeds_are_one_study(seeds, tmp_path):
    study = open_study(seeds)
    assert study.seeds == (0, 1)
    with pytest.raises(ValueError, match=r"expected the folder of one run, got several seeds in .*; rank those of .*"):
        memorize_jax.find_label_errors(seeds)
    assert missing_epochs(study).count("Examples of seed") in (0, 2)
    for figure in MEASUREMENT.figures:
        assert missing(figure, study) == ""
        assert figure.draw(study, tmp_path / f"{figure.name}.svg").stat().st_size > 0
    assert len(MEASUREMENT.section.views["per_example_auroc"][1](study).rows) == 8
    assert {claim.verdict for claim in evaluate(study, MEASUREMENT.statements)} == {"not testable"}
