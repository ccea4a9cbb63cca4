import dataclasses

import jax
import numpy as np
import pytest

from memorize_jax import data
from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels
from memorize_jax.training import NotFiniteLossError, Resume, Trainer, is_finished, loop, stack, train
from memorize_jax.training.accuracy import group_accuracies
from memorize_jax.training.trainer import example_order
from tests.eight_devices import small_labels, small_splits, trainer_steps

CONFIG = RunConfig(width=16, batch_size=37, learning_rate=3e-3, epochs=6, stop_accuracy=1.0)
SPLITS = small_splits()
LABELS = small_labels(SPLITS)


def changed(**options):
    return dataclasses.replace(CONFIG, **options)


def trained(config, labels=LABELS, **options):
    """Seed -> its epochs, with copies of the states, for the next epoch overwrites them."""
    seen = {seed: [] for seed in options.get("seeds", [config.seed])}

    def on_epoch(*epochs):
        for epoch in epochs:
            seen[epoch.seed].append(epoch._replace(state=jax.tree.map(np.array, epoch.state)))

    train(config, SPLITS, labels, on_epoch, **options)
    return seen


@pytest.fixture(scope="module")
def six_epochs():
    return trained(CONFIG)[0]


@pytest.mark.parametrize(("steps_per_call", "sizes"), [(2, [2, 1]), (16, [3])])
def test_several_steps_in_one_call_change_nothing(six_epochs, steps_per_call, sizes):
    """100 examples make three batches: two in one call, and one that is left, or all in one, the evaluation too."""
    config, losses = changed(epochs=2, steps_per_call=steps_per_call), []
    trainer = Trainer(config, SPLITS, LABELS)
    state = trainer.run_epoch(trainer.initial_state(), 1, losses.append)
    assert [np.size(loss) for loss in losses] == sizes
    expected = {name: value for name, value in six_epochs[1].metrics.items() if name != "seconds"}
    assert trainer.evaluate(state.variables) == pytest.approx(expected, rel=1e-5)


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
    history = [{"train_accuracy": accuracy} for accuracy in accuracies]
    assert is_finished(RunConfig(**{"epochs": 100, **options}), len(accuracies) - 1, history) is finished


def test_training_stops_the_asked_number_of_epochs_after_the_accuracy():
    config = changed(epochs=200, learning_rate=1e-2, stop_accuracy=0.8, extra_epochs=2)
    epochs = trained(config, small_labels(SPLITS, 0.0))[0]
    first = next(epoch.number for epoch in epochs if epoch.metrics["train_accuracy"] > 0.8)
    assert first > 0
    assert [epoch.number for epoch in epochs] == list(range(first + 3))
    assert [epoch.is_last for epoch in epochs] == [False] * (first + 2) + [True]


def test_epochs_are_numbered_from_the_untrained_network_and_the_loss_falls(six_epochs):
    assert [(epoch.number, int(epoch.state.step)) for epoch in six_epochs] == [(n, 3 * n) for n in range(7)]
    untrained = Trainer(CONFIG, SPLITS, LABELS).initial_state()
    jax.tree.map(np.testing.assert_array_equal, six_epochs[0].state.params, untrained.params)
    losses = [epoch.metrics["loss"] for epoch in six_epochs]
    assert losses[0] == pytest.approx(np.log(4), abs=0.15)
    assert np.all(np.diff(losses) < 0)


def test_the_order_of_examples_depends_on_seed_and_epoch_alone():
    orders = {(seed, number): example_order(seed, number, 100) for seed in (0, 1) for number in (3, 4)}
    np.testing.assert_array_equal(orders[0, 3], example_order(0, 3, 100))
    assert len({tuple(order) for order in orders.values()}) == 4
    assert all(sorted(order) == list(range(100)) for order in orders.values())
    batches = Trainer(changed(seed=1), SPLITS, LABELS)._batches(3)
    np.testing.assert_array_equal(np.concatenate([batch.indices[batch.mask == 1] for batch in batches]), orders[1, 3])


# --- accuracies


def test_group_accuracies_are_counted_one_by_one():
    rng = np.random.default_rng(0)
    labels = data.permute_labels(rng.integers(0, 3, 200), 0.3, key=jax.random.key(0), num_classes=3)
    predicted, test_predicted, test_labels = rng.integers(0, 3, 200), rng.integers(0, 3, 50), rng.integers(0, 3, 50)
    share = lambda pairs: np.mean([a == b for a, b in pairs])

    examples = list(zip(predicted, *labels, strict=True))
    expected = {
        "train_accuracy": share((p, assigned) for p, assigned, _, _ in examples),
        "unpermuted_accuracy": share((p, true) for p, _, true, permuted in examples if not permuted),
        "permuted_accuracy": share((p, assigned) for p, assigned, _, permuted in examples if permuted),
        "restored_accuracy": share((p, true) for p, _, true, permuted in examples if permuted),
        "test_accuracy": share(zip(test_predicted, test_labels, strict=True)),
    }
    assert group_accuracies(predicted, labels, test_predicted, test_labels) == pytest.approx(expected)
    # With an axis of seeds, each is counted alone.
    both = PermutedLabels(*(np.stack([leaf, leaf[::-1]]) for leaf in labels))
    found = group_accuracies(np.stack([predicted] * 2), both, np.stack([test_predicted] * 2), test_labels)
    assert {name: value[0] for name, value in found.items()} == pytest.approx(expected)
    assert found["train_accuracy"][1] == share(zip(predicted, labels.assigned[::-1], strict=True))


@pytest.mark.parametrize(("fraction", "empty"), [(0.0, {"permuted", "restored"}), (1.0, {"unpermuted"})])
def test_the_accuracy_of_an_empty_group_is_nan(fraction, empty):
    labels = small_labels(SPLITS, fraction)
    found = group_accuracies(labels.true, labels, SPLITS.test.labels, SPLITS.test.labels)
    assert {name for name, value in found.items() if np.isnan(value)} == {f"{name}_accuracy" for name in empty}


def test_evaluation_is_a_numpy_forward_pass_over_all_examples(six_epochs):
    params = six_epochs[-1].state.params

    def logits_of(value):
        for number in range(1, 7):
            layer = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params[f"linear{number}"])
            value = value @ layer["kernel"] + layer["bias"]
            value = np.maximum(value, 0) if number < 6 else value
        return value

    logits = logits_of(SPLITS.train.images.astype(np.float64))
    loss = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(100), LABELS.assigned])
    test_predicted = logits_of(SPLITS.test.images).argmax(axis=1)
    expected = group_accuracies(logits.argmax(axis=1), LABELS, test_predicted, SPLITS.test.labels)
    found = {name: value for name, value in six_epochs[-1].metrics.items() if name != "seconds"}
    assert found == pytest.approx({"loss": loss, **expected}, rel=1e-5)


def test_one_and_eight_devices_train_alike(eight_devices):
    state, metrics = trainer_steps()
    for one, eight in zip(jax.tree.leaves(state.params), np.load(eight_devices / "float32.npz").values(), strict=True):
        np.testing.assert_allclose(one, eight, rtol=0, atol=1e-5)
    there = {name: float(value) for name, value in np.load(eight_devices / "metrics.npz").items()}
    assert metrics == pytest.approx(there, abs=1e-5)


# --- several seeds as one program

SEEDS = [0, 5, 7]
FAST = changed(epochs=4, stop_accuracy=0.99)
# Two of three have labels that are all the same and finish early: after the second the program is another one.
SAME = LABELS._replace(assigned=np.zeros_like(LABELS.assigned))
OF_SEEDS = PermutedLabels(*map(np.stack, zip(SAME, LABELS, SAME, strict=True)))


@pytest.fixture(scope="module")
def together():
    return trained(FAST, OF_SEEDS, seeds=SEEDS)


def test_the_batches_of_all_seeds_are_evaluated_in_one_call_as_one_after_the_other(together):
    found = []
    for steps_per_call in (1, 16):
        trainer = Trainer(changed(steps_per_call=steps_per_call), SPLITS, OF_SEEDS, seeds=SEEDS)
        states = [together[seed][1].state for seed in SEEDS]
        found.append(trainer.evaluate(stack(states).variables))
    for name, value in found[0].items():
        np.testing.assert_allclose(found[1][name], value, rtol=1e-6)


def test_each_seed_is_trained_as_alone_also_after_others_have_finished(together):
    for seed, labels in ((5, LABELS), (7, SAME)):
        alone = trained(dataclasses.replace(FAST, seed=seed), labels)[seed]
        assert [epoch[:1] + epoch[3:] for epoch in together[seed]] == [epoch[:1] + epoch[3:] for epoch in alone]
        for ours, theirs in zip(together[seed], alone, strict=True):
            for x, y in zip(*(jax.tree.leaves(epoch.state.params) for epoch in (ours, theirs)), strict=True):
                np.testing.assert_allclose(x, y, atol=2e-4)
            np.testing.assert_allclose(ours.metrics["loss"], theirs.metrics["loss"], rtol=1e-4)


@pytest.mark.parametrize(("number", "lost"), [(0, SEEDS), (0, [5]), (1, [0, 5]), (2, [5])])
def test_resuming_has_the_same_program_although_some_have_finished(together, number, lost):
    """Before or after that epoch: of those that have, all rows are there."""
    lengths = {seed: len(epochs) - 1 for seed, epochs in together.items()}
    assert lengths[7] < lengths[0] < lengths[5] == 4
    # Of those that have finished, any state will do.
    states = stack([together[seed][min(number, lengths[seed])].state for seed in SEEDS])
    rows = [[epoch.metrics for epoch in together[seed][: number + 1 if seed in lost else None]] for seed in SEEDS]
    again = trained(FAST, OF_SEEDS, seeds=SEEDS, resume=Resume(number, states, rows))
    for seed in SEEDS:
        assert [epoch.number for epoch in again[seed]] == list(range(number + 1, lengths[seed] + 1)) * (seed in lost)
        for ours, theirs in zip(again[seed], together[seed][number + 1 :], strict=seed in lost):
            jax.tree.map(np.testing.assert_array_equal, ours.state, theirs.state)


def test_nothing_is_compiled_when_all_have_finished(together, monkeypatch):
    monkeypatch.setattr(loop, "Trainer", None)
    rows = [[epoch.metrics for epoch in together[seed]] for seed in SEEDS]
    assert train(FAST, SPLITS, OF_SEEDS, print, seeds=SEEDS, resume=Resume(4, None, rows)) == (4, None, rows)


@pytest.mark.parametrize("seeds", [None, SEEDS])
def test_a_loss_that_is_not_finite_stops_all(seeds):
    labels = LABELS if seeds is None else OF_SEEDS
    with pytest.raises(NotFiniteLossError, match="of epoch 1"):
        train(changed(learning_rate=1e30), SPLITS, labels, lambda *_: None, seeds=seeds)


@pytest.mark.parametrize(
    ("labels", "weights", "message"),
    [
        (np.where(LABELS.assigned == 0, -1, LABELS.assigned), None, "expected labels 0 to [0-9]+, got -1"),
        (np.where(LABELS.assigned == 0, 99, LABELS.assigned), None, "expected labels 0 to [0-9]+, got 99"),
        (LABELS.assigned[:-1], None, r"expected integer labels \[[0-9]+\], got int32"),
        (LABELS.assigned, np.ones(3), r"expected weights \[[0-9]+\], got \[3\]"),
        (LABELS.assigned, np.full(len(LABELS.assigned), -1.0), "expected finite weights >= 0"),
    ],
)
def test_labels_and_weights_that_are_none_are_refused(labels, weights, message):
    with pytest.raises(ValueError, match=message):
        Trainer(CONFIG, SPLITS, LABELS._replace(assigned=labels.astype(np.int32)), weights=weights)


@pytest.mark.parametrize(("field", "value"), [("learning_rate", -1.0), ("batch_size", 0), ("dtype", "float16")])
def test_a_trainer_checks_its_settings(field, value):
    with pytest.raises(ValueError, match=f"expected {field}"):
        Trainer(changed(**{field: value}), SPLITS, LABELS)


def test_float64_is_for_callers_in_64_bit_mode():
    with pytest.raises(ValueError, match="expected JAX's 64-bit mode on for dtype float64"):
        Trainer(changed(dtype="float64"), SPLITS, LABELS)
    with jax.enable_x64(True):
        assert Trainer(changed(dtype="float64"), SPLITS, LABELS).config.dtype == "float64"
