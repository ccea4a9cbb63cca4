import dataclasses

import jax
import numpy as np
import pytest

from memorize_jax.config import RunConfig
from memorize_jax.training import NotFiniteLossError, train, train_together
from tests.eight_devices import BATCH_SIZE, small_labels, small_splits

CONFIG = RunConfig(width=16, batch_size=BATCH_SIZE, learning_rate=1e-2, epochs=4)
SPLITS = small_splits()


def members(num, **changes):
    return [dataclasses.replace(CONFIG, seed=seed, **changes) for seed in range(num)]


@pytest.mark.slow
def test_each_member_is_the_run_of_its_seed():
    """Also of those that finish early, and after what is left has been compiled anew."""
    configs = [dataclasses.replace(one, epochs=epochs) for one, epochs in zip(members(3), (2, 1, 4), strict=True)]
    labels = [small_labels(SPLITS, fraction) for fraction in (0.4, 0.2, 0.0)]
    together = {0: [], 1: [], 2: []}
    train_together(configs, SPLITS, labels, lambda member, epoch: together[member].append(copied(epoch)))
    for member, config in enumerate(configs):
        alone = []
        train(config, SPLITS, labels[member], lambda epoch, alone=alone: alone.append(copied(epoch)))
        assert [epoch.number for epoch in together[member]] == list(range(config.epochs + 1))
        assert [epoch.is_last for epoch in together[member]] == [epoch.is_last for epoch in alone]
        for ours, theirs in zip(together[member], alone, strict=True):
            for x, y in zip(*(jax.tree.leaves(epoch.state.params) for epoch in (ours, theirs)), strict=True):
                np.testing.assert_allclose(x, y, atol=2e-4)
            np.testing.assert_allclose(ours.metrics["loss"], theirs.metrics["loss"], rtol=1e-4)


def copied(epoch):
    return epoch._replace(state=jax.tree.map(np.array, epoch.state))


def test_going_on_equals_going_through():
    labels, last, first = [small_labels(SPLITS)] * 2, {}, {}
    train_together(members(2), SPLITS, labels, lambda member, epoch: last.update({member: copied(epoch)}))
    rows = {0: [], 1: []}

    def note(member, epoch):
        rows[member].append(epoch.metrics)
        first.update({member: copied(epoch)})

    train_together(members(2, epochs=2), SPLITS, labels, note)
    resume = (2, [first[0].state, first[1].state], [rows[0], rows[1]])
    train_together(members(2), SPLITS, labels, note, resume=resume)
    for member in (0, 1):
        jax.tree.map(np.testing.assert_array_equal, first[member].state, last[member].state)


def test_a_loss_that_is_no_number_stops_all():
    with pytest.raises(NotFiniteLossError, match="of epoch 1"):
        train_together(members(2, learning_rate=1e30), SPLITS, [small_labels(SPLITS)] * 2, lambda *_: None)


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_going_on_has_the_same_program_although_some_have_finished(number):
    """Two of three finish after one epoch: from then on the program is another one, for one member."""
    configs = [dataclasses.replace(one, epochs=epochs) for one, epochs in zip(members(3), (1, 4, 1), strict=True)]
    labels, seen = [small_labels(SPLITS)] * 3, {0: [], 1: [], 2: []}
    train_together(configs, SPLITS, labels, lambda member, epoch: seen[member].append(copied(epoch)))
    rows = [[epoch.metrics for epoch in own] for own in seen.values()]
    # Of those that have finished, the last state stands for any.
    upto = [min(number, config.epochs) for config in configs]
    done = [own if config.epochs <= number else own[: number + 1] for own, config in zip(rows, configs, strict=True)]
    resume = (number, [seen[member][last].state for member, last in enumerate(upto)], done)
    again = {0: [], 1: [], 2: []}
    train_together(configs, SPLITS, labels, lambda member, epoch: again[member].append(copied(epoch)), resume=resume)
    for member, config in enumerate(configs):
        assert [epoch.number for epoch in again[member]] == list(range(number + 1, config.epochs + 1))
        for ours, theirs in zip(again[member], seen[member][number + 1 :], strict=True):
            jax.tree.map(np.testing.assert_array_equal, ours.state, theirs.state)
