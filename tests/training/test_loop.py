import dataclasses

import jax
import numpy as np
import pandas as pd
import pytest

from memorize_jax import data
from memorize_jax.config import RunConfig
from memorize_jax.runs import session as run_folder
from memorize_jax.runs.folder import Run
from memorize_jax.runs.train import train_run
from memorize_jax.storage.checkpoints import EpochStore, store
from memorize_jax.training import Trainer, is_finished, train
from memorize_jax.training.accuracy import group_accuracies
from tests.eight_devices import small_labels, small_splits, trainer_steps

CONFIG = RunConfig(width=16, batch_size=37, learning_rate=3e-3, epochs=6, stop_accuracy=1.0)


def small_problem(fraction=0.4):
    splits = small_splits()
    return splits, small_labels(splits, fraction)


def history(*accuracies):
    return [{"train_accuracy": accuracy} for accuracy in accuracies]


# --- several steps in one call


def test_several_steps_in_one_call_change_nothing():
    """100 examples make three batches: two in one call, and one that is left."""
    splits, labels = small_problem()
    runs = {}
    for number in (1, 2):
        runs[number], losses = [], []
        config = dataclasses.replace(CONFIG, epochs=2, steps_per_call=number)
        train(config, splits, labels, runs[number].append)
        Trainer(config, splits, labels).run_epoch(Trainer(config, splits, labels).initial_state(), 1, losses.append)
        assert [np.size(loss) for loss in losses] == ([1, 1, 1] if number == 1 else [2, 1])
    for one, two in zip(runs[1], runs[2], strict=True):
        np.testing.assert_allclose(one.metrics["loss"], two.metrics["loss"], rtol=1e-5)


# --- when training ends


@pytest.mark.parametrize(
    ("options", "accuracies", "finished"),
    [
        ({"epochs": 3}, (0.1, 0.2, 0.3), False),
        ({"epochs": 3}, (0.1, 0.2, 0.3, 0.4), True),
        ({"stop_accuracy": 0.5}, (0.1, 0.5), False),
        ({"stop_accuracy": 0.5}, (0.1, 0.51), True),
        ({"stop_accuracy": 0.5, "extra_epochs": 2}, (0.1, 0.6, 0.7), False),
        ({"stop_accuracy": 0.5, "extra_epochs": 2}, (0.1, 0.6, 0.7, 0.8), True),
        # What counts is the first time, even if the accuracy falls again.
        ({"stop_accuracy": 0.5, "extra_epochs": 2}, (0.1, 0.6, 0.3, 0.3), True),
        ({"stop_accuracy": 0.5, "extra_epochs": 9, "epochs": 2}, (0.1, 0.6, 0.7), True),
        ({"stop_accuracy": 1.0}, (1.0, 1.0), False),
    ],
)
def test_training_ends_when_epochs_are_used_up_or_labels_are_memorized(options, accuracies, finished):
    config = RunConfig(**{"epochs": 100, **options})
    assert is_finished(config, len(accuracies) - 1, history(*accuracies)) is finished


def test_training_stops_the_asked_number_of_epochs_after_the_accuracy():
    splits, labels = small_problem(0.0)
    config = dataclasses.replace(CONFIG, epochs=200, learning_rate=1e-2, stop_accuracy=0.8, extra_epochs=2)
    epochs = []
    train(config, splits, labels, epochs.append)
    accuracies = [epoch.metrics["train_accuracy"] for epoch in epochs]
    first = next(number for number, accuracy in enumerate(accuracies) if accuracy > 0.8)
    assert first > 0
    assert [epoch.number for epoch in epochs] == list(range(first + 3))
    assert [epoch.is_last for epoch in epochs] == [False] * (first + 2) + [True]


# --- what an epoch does


def test_the_first_epoch_reported_is_the_untrained_network():
    splits, labels = small_problem()
    epochs = []
    # Copied, for the next epoch overwrites the state.
    keep = lambda epoch: epochs.append((epoch.number, jax.tree.map(np.array, epoch.state)))
    train(dataclasses.replace(CONFIG, epochs=1), splits, labels, keep)
    assert [(number, int(state.step)) for number, state in epochs] == [(0, 0), (1, 3)]
    untrained = Trainer(CONFIG, splits, labels).initial_state()
    jax.tree.map(np.testing.assert_array_equal, epochs[0][1].params, untrained.params)


def test_the_loss_falls():
    splits, labels = small_problem()
    losses = []
    train(dataclasses.replace(CONFIG, epochs=20), splits, labels, lambda epoch: losses.append(epoch.metrics["loss"]))
    assert losses[0] == pytest.approx(np.log(4), abs=0.15)
    assert np.all(np.diff(losses[::5]) < 0)
    assert losses[-1] < 0.8 * losses[0]


def test_the_order_of_examples_depends_on_seed_and_epoch_alone():
    splits, labels = small_problem()
    trainers = [Trainer(dataclasses.replace(CONFIG, seed=seed), splits, labels) for seed in (0, 1)]

    def after(number, seed=0):
        # A state of its own each time, and the same one: the step may overwrite what it is given.
        return jax.tree.leaves(trainers[seed].run_epoch(trainers[0].initial_state(), number).params)[1]

    np.testing.assert_array_equal(after(3), after(3))
    assert np.any(after(3) != after(4))
    assert np.any(after(3) != after(3, seed=1))


# --- accuracies


def test_group_accuracies_are_counted_one_by_one():
    rng = np.random.default_rng(0)
    labels = data.permute_labels(rng.integers(0, 3, 200), 0.3, key=jax.random.key(0), num_classes=3)
    predicted, test_predicted, test_labels = rng.integers(0, 3, 200), rng.integers(0, 3, 50), rng.integers(0, 3, 50)

    def share(pairs):
        pairs = list(pairs)
        return sum(a == b for a, b in pairs) / len(pairs)

    examples = list(zip(predicted, *labels, strict=True))
    assert group_accuracies(predicted, labels, test_predicted, test_labels) == pytest.approx(
        {
            "train_accuracy": share((p, assigned) for p, assigned, _, _ in examples),
            "unpermuted_accuracy": share((p, true) for p, _, true, permuted in examples if not permuted),
            "permuted_accuracy": share((p, assigned) for p, assigned, _, permuted in examples if permuted),
            "restored_accuracy": share((p, true) for p, _, true, permuted in examples if permuted),
            "test_accuracy": share(zip(test_predicted, test_labels, strict=True)),
        }
    )


@pytest.mark.parametrize(("fraction", "empty"), [(0.0, {"permuted", "restored"}), (1.0, {"unpermuted"})])
def test_the_accuracy_of_an_empty_group_is_nan(fraction, empty):
    splits, labels = small_problem(fraction)
    found = group_accuracies(labels.true, labels, splits.test.labels, splits.test.labels)
    assert {name for name, value in found.items() if np.isnan(value)} == {f"{name}_accuracy" for name in empty}


def test_evaluation_is_a_numpy_forward_pass_over_all_examples():
    splits, labels = small_problem()
    trainer = Trainer(CONFIG, splits, labels)
    variables = trainer.initial_state().variables

    def logits_of(value):
        for number in range(1, 7):
            layer = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables["params"][f"linear{number}"])
            value = value @ layer["kernel"] + layer["bias"]
            value = np.maximum(value, 0) if number < 6 else value
        return value

    logits = logits_of(splits.train.images.astype(np.float64))
    loss = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(100), labels.assigned])
    expected = group_accuracies(
        logits.argmax(axis=1), labels, logits_of(splits.test.images).argmax(axis=1), splits.test.labels
    )
    assert trainer.evaluate(variables) == pytest.approx({"loss": loss, **expected}, rel=1e-5)


# --- devices


def test_one_and_eight_devices_train_alike(eight_devices):
    state, metrics = trainer_steps()
    for one, eight in zip(jax.tree.leaves(state.params), np.load(eight_devices / "float32.npz").values(), strict=True):
        np.testing.assert_allclose(one, eight, rtol=0, atol=1e-5)
    there = {name: float(value) for name, value in np.load(eight_devices / "metrics.npz").items()}
    assert metrics == pytest.approx(there, abs=1e-5)


# --- going on


def train_in(workdir, epochs):
    splits, labels = small_problem()
    train_run(workdir, dataclasses.replace(CONFIG, epochs=epochs), (splits, labels))
    return Run(workdir)


def metrics_as_written(run):
    return pd.read_csv(run.metrics, dtype=str).drop(columns="seconds")


def assert_same_run(found, expected):
    pd.testing.assert_frame_equal(metrics_as_written(found), metrics_as_written(expected))
    with EpochStore(found.checkpoints) as one, EpochStore(expected.checkpoints) as other:
        assert one.epochs() == other.epochs() == list(range(len(metrics_as_written(expected))))
        for epoch in one.epochs():
            jax.tree.map(np.testing.assert_array_equal, one.load(epoch), other.load(epoch))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return train_in(tmp_path_factory.mktemp("undisturbed"), 6)


def test_training_that_goes_on_equals_undisturbed_training(tmp_path, undisturbed):
    train_in(tmp_path, 3)
    assert_same_run(train_in(tmp_path, 6), undisturbed)


def test_a_finished_run_is_left_as_it_is(tmp_path):
    run = train_in(tmp_path, 2)
    before = run.metrics.read_bytes()
    train_in(tmp_path, 2)
    assert run.metrics.read_bytes() == before


def test_the_store_holds_the_networks_training_had(undisturbed):
    networks = []
    train(CONFIG, *small_problem(), lambda epoch: networks.append(jax.tree.map(np.array, epoch.state.params)))
    with EpochStore(undisturbed.checkpoints) as stored:
        for epoch, params in enumerate(networks):
            jax.tree.map(np.testing.assert_array_equal, stored.load(epoch)["params"], params)


@pytest.mark.parametrize(
    ("table_of_the_epoch", "state_share"), [("written", np.inf), ("not written", np.inf), ("written", 1e-9)]
)
def test_interrupted_training_goes_on_to_the_same_end(
    tmp_path, monkeypatch, undisturbed, table_of_the_epoch, state_share
):
    def write_then_stop(workdir, rows, identity):
        interrupted = len(rows) == 5
        if not interrupted or table_of_the_epoch == "written":
            write_metrics(workdir, rows, identity)
        if interrupted:
            raise KeyboardInterrupt

    write_metrics = run_folder.write_metrics
    with monkeypatch.context() as patched:
        patched.setattr(store, "STATE_SHARE", state_share)
        patched.setattr(run_folder, "write_metrics", write_then_stop)
        with pytest.raises(KeyboardInterrupt):
            train_in(tmp_path, 6)
    assert_same_run(train_in(tmp_path, 6), undisturbed)
