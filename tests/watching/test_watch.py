import json
import shutil
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import memorize_jax
from memorize_jax import Watch
from memorize_jax.commands.report import run as write_report
from memorize_jax.config import KNOWN_OF_WATCHED
from memorize_jax.measurements.collapse import CollapseSettings
from memorize_jax.measurements.collapse import measure as collapse
from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.registry import get_measurement
from memorize_jax.runs.run import Run
from memorize_jax.runs.watched import evaluate_watched
from memorize_jax.storage.checkpoints import EpochStore
from tests.watching import made
from tests.watching.made import LIBRARIES, SIZES, data

TINY = {"num_draws": 10, "joint_draws": 10, "num_center_components": 0, "depth_neighbors": 3}


def watch_in(folder, network, **options):
    images, labels, true_labels, test_images, test_labels = data()
    given = {"test_images": test_images, "test_labels": test_labels, "network": network, "every": 0, **TINY, **options}
    return Watch(folder, images, labels, true_labels, **given)


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A run of a function, of which two epochs were watched."""
    folder, one = tmp_path_factory.mktemp("watched") / "run", made.function()
    watch = watch_in(folder, one.network)
    watch(0, one.model)
    watch(1, one.changed, {"loss": 0.5, "mine": 7})
    return folder, one


@pytest.fixture
def copied(watched, tmp_path):
    folder, one = watched
    return shutil.copytree(folder, tmp_path / "run"), one


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_network_of_any_library_is_stored_rewound_evaluated_and_brought_back(library, tmp_path):
    one, given = LIBRARIES[library](), data()
    watch = watch_in(tmp_path / "run", one.network)
    rows = [watch(0, one.model), watch(1, one.changed)]
    answers = lambda model: np.asarray(one.answers(model, given.test_images))
    accuracy = lambda model: np.mean(answers(model).argmax(axis=1) == given.test_labels)
    before = answers(one.model)
    assert [row["test_accuracy"] for row in rows] == [accuracy(one.model), accuracy(one.changed)]
    np.testing.assert_array_equal(answers(one.model), before)
    run = watch.run
    assert len(run.analyzed_layers) == 3
    # Each module with parameters belongs to one layer, and is read alone by its name.
    modules = [module for layer in run.analyzed_layers for module in layer.modules]
    network = run.network(1)
    assert sorted(modules) == sorted(network["params"])
    alone = run.network_layers(1, modules[:1])
    assert list(alone["params"]) == modules[:1]
    assert all(
        np.array_equal(own, network["params"][modules[0]][name]) for name, own in alone["params"][modules[0]].items()
    )
    # All layers of epoch 0 in the final network are the network of epoch 0.
    table = watch.measure("rewinding", rewind_epochs="0", rewind_layers="each,all")
    assert table["test_accuracy"].tolist()[-1] == rows[0]["test_accuracy"]
    assert len(table) == 4
    np.testing.assert_array_equal(answers(watch.load(one.model, 1)), answers(one.changed))


@pytest.mark.parametrize(
    ("shape", "kind"), [((SIZES[1], 9), np.float32), ((SIZES[1], SIZES[2]), jnp.bfloat16)], ids=["widths", "numbers"]
)
def test_a_run_does_not_go_on_with_a_network_of_other(shape, kind, copied):
    folder, one = copied
    other = {**one.model, "layer1": {"kernel": np.ones(shape, kind)}}
    if kind == np.float32:
        other["layer2"] = {"kernel": np.ones((9, SIZES[3]), np.float32)}
    message = rf"holds a run of another network, with params.layer1.kernel float32 \[8, 5\], got {np.dtype(kind).name}"
    with pytest.raises(ValueError, match=message):
        watch_in(folder, one.network)(2, other)
    assert memorize_jax.open_run(folder).stored_epochs == [0, 1]


@pytest.mark.parametrize("library", ["torch", "nnx"])
def test_what_is_read_is_what_the_network_answers_and_training_is_not_disturbed(library, tmp_path):
    one, given = LIBRARIES[library](), data()
    one.model.train()
    watch = watch_in(tmp_path / "run", None)
    watch(0, one.model)
    network = watch.run.model()
    answers = network.answers(watch.run.network(0), given.images)["answers"]
    drops = [module for module in one.model.modules()] if library == "torch" else [one.model.drop, one.model.norm]
    in_training = [part.training if library == "torch" else not part.deterministic for part in drops[:1]]
    assert in_training == [True]
    np.testing.assert_allclose(answers, one.answers(one.model, given.images), rtol=1e-5, atol=1e-6)


def test_a_loop_that_was_stopped_goes_on(copied):
    folder, one = copied
    again = watch_in(folder, one.network)
    assert again.next_epoch == 2
    # Done again with the same network, an epoch is passed over.
    assert again(1, one.changed)["loss"] == 0.5
    with pytest.raises(ValueError, match=r"epoch 1 of .* is stored with another network; go on at next_epoch \(2\)"):
        again(1, one.model)
    with pytest.raises(ValueError, match="expected epoch 2, got 5: watch every epoch"):
        again(5, one.model)
    again(2, one.model)
    again.forget_after(0)
    assert again.next_epoch == 1
    assert again.run.stored_epochs == [0]
    assert again(1, one.model)["loss"] != 0.5


def test_a_kill_between_network_and_row_costs_that_epoch_alone(copied):
    folder, one = copied
    with watch_in(folder, one.network)._store(memorize_jax.open_run(folder).noted) as store:
        store.save(2, memorize_jax.open_run(folder).network(0), None, complete=False)
    again = watch_in(folder, one.network)
    assert again.next_epoch == 2
    again(2, one.model)


def test_the_run_says_what_it_knows_and_no_more(watched):
    folder, _ = watched
    run = memorize_jax.open_run(folder)
    assert run.config.is_watched
    assert run.config.permuted_fraction == 18 / 48
    assert set(json.loads((folder / "config.json").read_text())["config"]) == set(KNOWN_OF_WATCHED)
    assert pd.read_csv(folder / "own_metrics.csv").to_dict("records") == [{"epoch": 1, "loss": 0.5, "mine": 7.0}]
    assert run.noted.network["library"] == "function"
    with pytest.raises(ValueError, match=r"the network of .* is only known to the program that trained it"):
        run.model()


def test_a_network_that_diverged_is_not_stored(copied):
    folder, one = copied
    watch = watch_in(folder, one.network)
    broken = {**one.model, "layer2": {"kernel": np.full((5, 3), np.nan, np.float32)}}
    with pytest.raises(ValueError, match="the loss of epoch 2 is nan: training has diverged"):
        watch(2, broken)
    with pytest.raises(ValueError, match="expected a number as metric 'mine', got str"):
        watch(2, one.model, {"mine": "much"})
    watch(2, one.model, {"test_accuracy": 2, "epoch": 7})
    assert watch.next_epoch == 3
    assert watch.run.metrics["test_accuracy"].max() <= 1


def test_without_a_test_set_the_true_labels_of_wrong_ones_say_which_epoch_is_best(tmp_path):
    one, given = made.function(), data()
    watch = Watch(tmp_path / "run", *given[:3], network=one.network, every=0, **TINY)
    rows = [watch(0, one.model), watch(1, one.changed)]
    assert np.isnan(rows[0]["test_accuracy"])
    assert watch.run.best_epoch == int(np.argmax([row["restored_accuracy"] for row in rows]))


def test_another_process_makes_the_network_by_its_name(copied, tmp_path, monkeypatch, capsys):
    folder, one = copied
    shutil.rmtree(folder)
    (tmp_path / "my_program.py").write_text(
        "from tests.watching import made\n\ndef make():\n    return made.function().network\n"
    )
    (tmp_path / "my_linen.py").write_text(
        "from tests.watching import made\n\ndef make():\n    return made.linen().network\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    watch_in(folder, "my_program:make")(0, one.model)
    with pytest.raises(ValueError, match=r"expected a function that makes a flax\.linen module"):
        memorize_jax.open_run(folder).model()
    shutil.rmtree(folder)
    one = made.linen()
    watch = watch_in(folder, "my_linen:make")
    watch(0, one.model)
    run = memorize_jax.open_run(folder)
    found = evaluate_watched(run.model(), run.network(0), run.splits, run.labels)
    assert found["test_accuracy"] == watch.run.metrics["test_accuracy"][0]
    sys.modules.pop("my_linen"), sys.modules.pop("my_program")


WRONG = {
    "labels of another length": (lambda: {"labels": np.zeros(3, int)}, "expected integer labels"),
    "a class that is never assigned": (lambda: {"labels": np.zeros(48, int)}, "expected labels of every class"),
    "nothing that was held out": (
        lambda: {"labels": data().true_labels, "test_images": None, "test_labels": None},
        "expected test_images and test_labels, or labels that differ",
    ),
    "images without labels": (lambda: {"test_labels": None}, "expected test_images and test_labels together"),
    "other test images": (lambda: {"test_images": np.ones((15, 2), np.float32)}, "expected test_images like images"),
    "NaN": (lambda: {"images": np.full((48, 6), np.nan, np.float32)}, "expected finite images"),
    "a setting that there is not": (lambda: {"exampels_per_class": 3}, "did you mean examples_per_class"),
    "a class with a single wrong label": (
        lambda: {"labels": np.r_[np.roll(data().true_labels[:3], 1), data().true_labels[3:]], "every": 5},
        "got 1 in class 0 of permuted; every=0 follows the examples without the geometry",
    ),
    "a negative period": (lambda: {"every": -1}, "expected every >= 0"),
    "NaN in half precision": (
        lambda: {"images": np.where(np.arange(6) == 3, np.nan, data().images).astype(jnp.bfloat16)},
        "expected finite images, got NaN or infinite numbers",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_data_and_settings_are_refused_before_anything_is_written(wrong, tmp_path):
    changes, message = WRONG[wrong]
    names = ("images", "labels", "true_labels", "test_images", "test_labels")
    given = dict(zip(names, data(), strict=True)) | {"network": made.function().network} | changes()
    with pytest.raises(ValueError, match=message):
        Watch(tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()


def test_wrong_networks_are_refused_by_what_they_lack(copied, tmp_path):
    folder, one = copied
    with pytest.raises(ValueError, match="expected network= with parameters of dict"):
        watch_in(tmp_path / "a", None)(0, one.model)
    with pytest.raises(ValueError, match="expected 3 answers of the network, a number each class, got 2"):
        watch_in(tmp_path / "b", lambda params, x: x[:, :2])(0, one.model)
    with pytest.raises(ValueError, match="expected logits of the network, got probabilities, which sum to 1"):
        watch_in(tmp_path / "c", lambda params, x: jax.nn.softmax(x[:, :3]))(0, one.model)
    watch_in(tmp_path / "d", lambda params, x: jax.nn.log_softmax(x[:, :3]))(0, one.model)
    with pytest.raises(ValueError, match="expected the network to give an array as 'output', got tuple"):
        watch_in(tmp_path / "b", lambda params, x: (x, x))(0, one.model)
    with pytest.raises(ValueError, match="expected layers out of layer0, layer1, answers, got 'nope'"):
        watch_in(tmp_path / "b", one.network, layers=["layer0", "nope"])(0, one.model)
    with pytest.raises(ValueError, match="holds a run of another network"):
        watch_in(folder, lambda params, x: x[:, :3])(2, one.model)
    with pytest.raises(ValueError, match="holds a run with seed=0"):
        watch_in(folder, one.network, seed=1)
    given = data()
    with pytest.raises(ValueError, match="was trained on other images"):
        Watch(folder, given.images[::-1], *given[1:3], test_images=given.test_images, test_labels=given.test_labels)
    with pytest.raises(ValueError, match=r"gradients of the run in .* this one was watched"):
        watch_in(folder, one.network).measure("gradients")
    with pytest.raises(ValueError, match="expected at least one epoch"):
        watch_in(tmp_path / "c", one.network).measure("geometry")


def test_of_a_function_too_the_layers_that_are_asked_for_are_shown(tmp_path):
    one = made.function()
    watch = watch_in(tmp_path / "run", one.network, layers="*1")
    watch(0, one.model)
    assert list(watch.run.layers) == ["input", "layer1", "answers"]


def test_epochs_are_whole_numbers_and_what_is_forgotten_is_what_was_said(copied):
    folder, one = copied
    watch = watch_in(folder, one.network)
    for epoch, message in ((-1, "expected epoch >= 0, got -1"), ("1", "expected epoch to be a whole number, got '1'")):
        with pytest.raises(ValueError, match=message):
            watch(epoch, one.model)
    with pytest.raises(ValueError, match="expected epoch >= -1, got -3"):
        watch.forget_after(-3)
    assert watch.next_epoch == 2
    assert watch.run.network(1)
    watch.forget_after(-1)
    assert watch.next_epoch == 0


def test_the_loop_and_the_commands_take_one_anothers_rows(tmp_path, monkeypatch):
    (tmp_path / "my_net.py").write_text(
        "from tests.watching import made\n\ndef make():\n    return made.linen().network\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    folder, one, measured, plan = tmp_path / "run", made.linen(), [], collapse.plan
    watch = watch_in(folder, "my_net:make")
    watch(0, one.model)
    watch(1, one.changed)

    def watching(run, *settings):
        work = plan(run, *settings)
        return work._replace(rows=lambda unit: measured.append(unit) or work.rows(unit))

    monkeypatch.setattr(collapse, "plan", watching)
    by_command = lambda: measure(get_measurement("collapse"), folder, [CollapseSettings()])
    watch.measure("collapse")
    assert measured == [0, 1]
    by_command()
    watch.measure("collapse")
    assert measured == [0, 1]
    # Not those of a network that is another one now.
    run = watch.run
    with EpochStore(run.folder.checkpoints, keep=run.config.keep, identity=run.noted.identity) as store:
        store.rewrite(0, run.network(1), test_accuracies=run.metrics["test_accuracy"].tolist())
    watch.measure("collapse")
    by_command()
    assert measured == [0, 1, 0]
    # Rows of a network that the loop does not keep are all that is left of it.
    shutil.rmtree(run.folder.checkpoints / "epochs" / "0")
    monkeypatch.setattr(Run, "stored_epochs", [1])
    watch.measure("collapse", collapse_epochs="0,1")
    assert measured == [0, 1, 0]
    sys.modules.pop("my_net")


@pytest.mark.slow
def test_the_geometry_is_measured_on_the_way_and_the_report_is_that_of_any_run(copied):
    folder, one = copied
    watch = watch_in(folder, one.network, every=2)
    watch(2, one.model)
    assert pd.read_csv(folder / "results" / "geometry.csv")["epoch"].unique().tolist() == [0, 2]
    page = watch.report().read_text()
    assert "function network" in page
    # But in the command for a figure of several runs.
    assert "learning_rate" not in page.replace("--grid=learning_rate", "")
    assert {"geometry", "per_example", "per_example_auroc", "collapse"} <= set(memorize_jax.open_run(folder).tables)
    # Forgotten epochs leave no numbers behind.
    watch.forget_after(1)
    assert not (folder / "results").exists()
    write_report(folder)
