import itertools

import jax
import numpy as np
import pytest

from memorize_jax.measurements.flipping import search as module
from memorize_jax.measurements.flipping.search import Searched, choose_batches, masked_correct, search
from memorize_jax.measurements.flipping.units import Units, hidden_units, masked_apply
from tests.measurements.small import (
    AS_THEY_ARE,
    CONV_LAYERS,
    DENSE_LAYERS,
    Convolutional,
    Dense,
    drawn,
    inputs,
)

IMAGE, MOST = (3, 3, 1), 7
KEY = jax.random.key(3)
NETWORKS = [(Dense(), DENSE_LAYERS, (4,)), (Convolutional(), CONV_LAYERS, IMAGE)]


def setting(noise=0.0, num=12):
    """A dense network, what a search needs, and the batches of the examples whose labels it gives by construction."""
    model = Dense()
    variables, images = drawn(model, (4,)), inputs(num, (4,))
    units = hidden_units(variables["params"], DENSE_LAYERS)
    labels = np.array(model.apply(variables, images)).argmax(axis=-1).astype(np.int32)
    labels[num // 2 :] = (labels[num // 2 :] + 1) % 3
    searched = Searched(*jax.device_put((variables, images, labels)), AS_THEY_ARE, noise, KEY)
    batches = choose_batches(range(num // 2), num, 6, (0,))
    return searched, batches, {"model": model, "units": units}


def by_hand(searched, batch, allowed, noise_of=lambda step: 0.0):
    """Units in the order of a greedy search in NumPy, whose derivatives are differences; and whether it flipped."""
    params, sizes = searched.variables["params"], [5, 5]
    layers = [(np.asarray(params[name]["kernel"], float), np.asarray(params[name]["bias"], float)) for name in params]
    labels, images = np.asarray(searched.labels)[batch], np.asarray(searched.images, float)[batch]

    def logits(x, mask):
        for (kernel, bias), own in zip(layers[:2], np.split(mask, np.cumsum(sizes)[:-1]), strict=True):
            x = np.maximum(own * (x @ kernel + bias), 0)
        return x @ layers[2][0] + layers[2][1]

    def loss(x, mask):
        shown = logits(x, mask)
        losses = np.log(np.exp(shown).sum(1)) - shown[np.arange(len(batch)), labels]
        return losses[1:].sum() / len(batch) - losses[0]

    mask, order = np.ones(10), []
    while len(order) < min(MOST, allowed.sum()):
        noisy, scores = images + noise_of(len(order)), np.full(10, -np.inf)
        for unit in np.flatnonzero(allowed & (mask > 0)):
            shift = 1e-6 * np.eye(10)[unit]
            scores[unit] = (loss(noisy, mask + shift) - loss(noisy, mask - shift)) / 2e-6
        order.append(int(np.argmax(scores)))
        mask[order[-1]] = 0
        if np.argmax(logits(images[:1], mask)) != labels[0]:
            return order, True
    return order, False


@pytest.mark.parametrize("layer", [None, "linear1", "linear2"])
def test_units_are_those_of_a_search_by_hand(layer):
    searched, batches, how = setting()
    allowed = how["units"].of(layer)
    found = {flip.example: flip for flip in search(searched, batches, allowed, most=MOST, **how)}
    assert sorted(found) == batches[:, 0].tolist()
    for batch in batches:
        flip = found[batch[0]]
        assert (flip.units, flip.is_flipped) == by_hand(searched, batch, allowed)
        assert np.flatnonzero(flip.mask == 0).tolist() == sorted(flip.units)
    assert any(len(flip.units) > 1 for flip in found.values())
    assert all(allowed[flip.units].all() for flip in found.values())


def test_noise_is_drawn_anew_at_every_step_and_the_prediction_is_without():
    searched, batches, how = setting(noise=0.5)
    allowed = how["units"].of(None)
    for flip in search(searched, batches, allowed, most=MOST, **how):
        batch = batches[flip.example]
        key = jax.random.fold_in(KEY, flip.example)
        noise = lambda step, key=key: 0.5 * np.asarray(jax.random.normal(jax.random.fold_in(key, step), (6, 4)))
        assert (flip.units, flip.is_flipped) == by_hand(searched, batch, allowed, noise)


def test_a_search_does_not_depend_on_those_beside_it(monkeypatch):
    searched, batches, how = setting()
    allowed, found = how["units"].of(None), []
    for slots in (1, 4):
        monkeypatch.setattr(module, "SLOTS", slots)
        flips = search(searched, batches, allowed, most=MOST, **how)
        found.append(sorted((flip.example, flip.units, flip.is_flipped) for flip in flips))
    assert found[0] == found[1]
    assert list(search(searched, batches[:0], allowed, most=MOST, **how)) == []


@pytest.mark.parametrize(
    ("model", "layers", "shape"), [(Dense(), DENSE_LAYERS, (4,)), (Convolutional(), CONV_LAYERS, IMAGE)]
)
def test_the_score_of_a_unit_is_the_sum_of_its_weights_times_their_gradients(model, layers, shape):
    variables, images = drawn(model, shape), inputs(4, shape)
    units = hidden_units(variables["params"], layers)
    total = lambda logits: (logits * np.arange(12).reshape(4, 3)).sum()
    score = jax.grad(lambda mask: total(masked_apply(model, units, variables, mask, images)))(np.ones(units.count))
    of_params = lambda params: total(model.apply({**variables, "params": params}, images))
    params, gradient = variables["params"], jax.grad(of_params)(variables["params"])
    # A weight's last axis is that of units.
    products = jax.tree.map(lambda w, g: (w * g).reshape(-1, w.shape[-1]).sum(0), params, gradient)
    own = [sum(jax.tree.leaves(products[name])) for name in units.masked]
    np.testing.assert_allclose(score, np.concatenate(own), rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "layers", "shape"), [(Dense(), DENSE_LAYERS, (4,)), (Convolutional(), CONV_LAYERS, IMAGE)]
)
def test_a_unit_that_is_off_is_one_without_weights(model, layers, shape):
    variables, images = drawn(model, shape), inputs(4, shape)
    units = hidden_units(variables["params"], layers)
    for unit in (0, units.count - 1):
        name, channel = units.name(unit).split(":")
        name = units.masked[units.modules.index(name)]
        own = {key: leaf.copy() for key, leaf in variables["params"][name].items()}
        for leaf in own.values():
            leaf[..., int(channel)] = 0
        without = model.apply({**variables, "params": {**variables["params"], name: own}}, images)
        mask = np.ones(units.count, np.float32)
        np.testing.assert_array_equal(
            masked_apply(model, units, variables, mask, images), model.apply(variables, images)
        )
        mask[unit] = 0
        np.testing.assert_allclose(masked_apply(model, units, variables, mask, images), without, rtol=1e-5, atol=1e-6)


def test_units_are_the_channels_of_every_module_of_the_hidden_layers():
    units = hidden_units(drawn(Convolutional(), IMAGE)["params"], CONV_LAYERS)
    assert units == Units(
        ("conv1", "conv2", "conv3"), ("conv1_bn", "conv2_bn", "conv3_bn"), (2, 2, 2), ("conv1", "conv2", "conv2")
    )
    assert [units.name(unit) for unit in range(6)] == [
        f"conv{n}:{own}" for n, own in itertools.product((1, 2, 3), (0, 1))
    ]
    assert units.of("conv2").tolist() == [False, False, True, True, True, True]
    assert units.of(None).all()


def test_right_are_those_whose_largest_logit_is_the_label():
    searched, _, how = setting()
    right = masked_correct(searched, np.arange(12), np.ones(10, np.float32), **how)
    assert np.asarray(right).tolist() == [True] * 6 + [False] * 6


def test_a_batch_has_its_example_first_and_others_once():
    batches = choose_batches([3, 0, 9], 10, 4, (7,))
    assert batches.shape == (3, 4)
    assert batches[:, 0].tolist() == [3, 0, 9]
    assert all(len(set(batch)) == 4 for batch in batches.tolist())
    # Whoever else is searched, and however many there are.
    assert choose_batches([0], 10, 4, (7,))[0].tolist() == batches[1].tolist()
    assert sorted(choose_batches([3], 5, 64, (7,))[0].tolist()) == [0, 1, 2, 3, 4]
