"""Parts of the training set, and networks that are trained on them as if they were all there is."""

import dataclasses

import jax
import numpy as np
import pytest

from memorize_jax.data import PermutedLabels, Splits, permute_labels
from memorize_jax.measurements.scores.subsets import network_seed, subset_members, subset_training
from memorize_jax.training import Trainer
from tests.measurements import tiny

CONFIG = dataclasses.replace(tiny.CONFIG, model="mlp", width=24, epochs=4, learning_rate=1e-2, batch_size=48)


@pytest.fixture(scope="module")
def splits():
    return tiny.load()


@pytest.fixture(scope="module")
def labels(splits):
    return permute_labels(splits.train.labels, 0.5, num_classes=3, key=jax.random.key(0))


def test_a_subset_has_its_exact_size_and_the_same_share_of_every_stratum(labels):
    sets = np.stack([subset_members(labels, 0.7, seed=0, subset=subset) for subset in range(40)])
    assert (sets.sum(axis=1) == round(0.7 * 48)).all()
    for stratum in np.unique(strata := 2 * labels.assigned + labels.is_permuted):
        of = strata == stratum
        assert np.abs(sets[:, of].sum(axis=1) - 0.7 * of.sum()).max() < 1
    # Every example is left out of some, and no two are alike.
    assert (sets.mean(axis=0) < 1).all()
    assert len(np.unique(sets, axis=0)) == 40
    np.testing.assert_array_equal(sets[7], subset_members(labels, 0.7, seed=0, subset=7))
    assert (sets[7] != subset_members(labels, 0.7, seed=1, subset=7)).any()
    assert len({network_seed(seed, subset) for seed in range(3) for subset in range(100)}) == 300


def test_a_network_learns_as_if_there_were_no_other_examples(splits, labels):
    members = subset_members(labels, 0.5, seed=0, subset=0)
    # Other images where the weight is 0; the mean over all pixels, by which they are scaled, stays.
    images, out = splits.train.images.copy(), np.flatnonzero(~members)
    images[out] = images[np.roll(out, 1)]
    found = []
    for own in (splits, Splits(splits.train._replace(images=images), splits.test)):
        trainer = Trainer(CONFIG, own, labels, weights=members)
        found.append(trainer.run_epoch(trainer.initial_state(), 1).params)
    for leaf, other in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(leaf, other, rtol=1e-6)


def test_alone_and_together_they_learn_the_same(splits, labels):
    members = np.stack([subset_members(labels, 0.7, seed=0, subset=subset) for subset in range(3)])
    seeds, train = [network_seed(0, subset) for subset in range(3)], subset_training(CONFIG, splits, labels)
    together = train(members, seeds)
    alone = [train(members[at : at + 1], seeds[at : at + 1]) for at in range(3)]
    for name, leaf in together._asdict().items():
        np.testing.assert_allclose(leaf, np.concatenate([getattr(one, name) for one in alone]), err_msg=name)
    assert together.correct.shape == (3, 48)
    own = np.sum(together.correct & members, axis=1) / members.sum(axis=1)
    np.testing.assert_allclose(together.accuracy, own)


def test_weights_of_one_change_nothing_and_a_batch_that_is_left_out_gives_no_nan(splits, labels):
    weights = [None, np.ones(48), np.zeros(48)]
    trainers = [Trainer(CONFIG, splits, labels, weights=own) for own in weights]
    ends = [trainer.run_epoch(trainer.initial_state(), 1).params for trainer in trainers]
    for plain, weighted, none in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_array_equal(plain, weighted)
        assert np.isfinite(none).all()


def test_a_network_is_judged_when_it_fits_its_own_examples(splits, labels):
    easy = PermutedLabels(labels.true, labels.true, np.zeros(48, bool))
    config = dataclasses.replace(CONFIG, epochs=60, stop_accuracy=0.9)
    members = np.stack([subset_members(easy, 0.7, seed=0, subset=subset) for subset in range(2)])
    found = subset_training(config, splits, easy)(members, [1, 2])
    assert (found.accuracy > 0.9).all()
    assert (found.trained_epochs < 60).all()
    one = subset_training(config, splits, easy)(members[:1], [1])
    assert one.trained_epochs[0] == found.trained_epochs[0]


def test_several_convolutional_networks_as_one_program_are_refused(splits, labels):
    config = dataclasses.replace(CONFIG, model="alexnet", width=1)
    with pytest.raises(ValueError, match="expected one subset at a time of alexnet, which is no MLP, got 2"):
        subset_training(config, splits, labels)(np.ones((2, 48), bool), [0, 1])
