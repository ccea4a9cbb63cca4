import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from memorize_jax.recipe import make_augmentation, make_loss, make_optimizer, make_schedule

RATE, DECAY = 0.1, 0.03


def descended(optimizer, steps=20):
    """Parameters after each step on a fixed sequence of gradients."""
    rng = np.random.default_rng(0)
    params = jnp.asarray(rng.normal(size=3))
    state, found = optimizer.init(params), [np.asarray(params)]
    gradients = rng.normal(size=(steps, 3))
    for gradient in gradients:
        updates, state = optimizer.update(jnp.asarray(gradient), state, params)
        params = optax.apply_updates(params, updates)
        found.append(np.asarray(params))
    return found, gradients


def adam_direction(moments, gradient, number, first):
    for place, power, decay in ((0, 1, first), (1, 2, 0.999)):
        moments[place] = decay * moments[place] + (1 - decay) * gradient**power
    first, second = (own / (1 - decay**number) for own, decay in zip(moments, (first, 0.999), strict=True))
    return first / (np.sqrt(second) + 1e-8)


@pytest.mark.parametrize(
    ("name", "momentum"), [("sgd", 0.8), ("sgd", None), ("adam", None), ("adam", 0.8), ("adamw", 0.8)]
)
@pytest.mark.parametrize("rates", [[RATE] * 20, [RATE * (1 + np.cos(np.pi * k / 20)) / 2 for k in range(20)]])
def test_optimizers_follow_their_formulas(x64, name, momentum, rates):
    """Written out in NumPy, with the constant rate and with one that a schedule gives."""
    rate = RATE if len(set(rates)) == 1 else make_schedule("cosine", RATE, epochs=5, steps_per_epoch=4)
    found, gradients = descended(make_optimizer(name, rate, momentum=momentum, weight_decay=DECAY))
    weights, velocity, moments = found[0], np.zeros(3), [np.zeros(3), np.zeros(3)]
    for number, (own, gradient) in enumerate(zip(rates, gradients, strict=True), 1):
        if name == "sgd":
            velocity = (momentum or 0) * velocity + gradient + DECAY * weights
            step = velocity
        elif name == "adam":
            step = adam_direction(moments, gradient + DECAY * weights, number, momentum or 0.9)
        else:
            step = adam_direction(moments, gradient, number, momentum or 0.9) + DECAY * weights
        weights = weights - own * step
        np.testing.assert_allclose(found[number], weights, rtol=1e-9)


def test_the_default_is_the_papers_adam():
    """The state too: runs of earlier versions resume with theirs."""
    rate = make_schedule("constant", 1e-4, epochs=3, steps_per_epoch=2)
    ours, papers = make_optimizer("adam", rate), optax.adam(1e-4)
    params = {"kernel": jnp.ones((2, 3))}
    assert jax.tree.structure(ours.init(params)) == jax.tree.structure(papers.init(params))


def test_a_schedule_of_steps_is_a_tenth_after_a_half_and_after_three_quarters():
    rate = make_schedule("step", 0.5, epochs=4, steps_per_epoch=5)
    expected = [0.5] * 10 + [0.05] * 5 + [0.005] * 6
    np.testing.assert_allclose([rate(k) for k in range(21)], expected, rtol=1e-6)
    # Where a half and three quarters are no whole numbers, the first step behind them.
    nine = make_schedule("step", 0.5, epochs=3, steps_per_epoch=3)
    np.testing.assert_allclose([nine(k) for k in range(9)], [0.5] * 5 + [0.05] * 2 + [0.005] * 2, rtol=1e-6)
    # Shorter than its bounds can tell apart: both count.
    one = make_schedule("step", 0.5, epochs=1, steps_per_epoch=1)
    np.testing.assert_allclose([one(0), one(1)], [0.5, 0.005], rtol=1e-6)
    assert make_schedule("cosine", 0.5, epochs=4, steps_per_epoch=5)(20) == pytest.approx(0)


def test_losses_follow_their_formulas_at_least_in_float32(x64):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(2, 4, 3)) * 5, rng.integers(0, 3, (2, 4))
    for smoothing in (0.0, 0.2):
        targets = (1 - smoothing) * np.eye(3)[labels] + smoothing / 3
        log_softmax = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        expected = {
            "cross_entropy": -(targets * log_softmax).sum(axis=-1),
            "mse": ((logits - targets) ** 2).mean(axis=-1),
        }
        for name, value in expected.items():
            loss = make_loss(name, num_classes=3, label_smoothing=smoothing)
            np.testing.assert_allclose(loss(jnp.asarray(logits), jnp.asarray(labels)), value, rtol=1e-12)
            assert loss(jnp.zeros((2, 3), jnp.bfloat16), jnp.zeros(2, int)).dtype == jnp.float32


def images(number=64, size=16):
    """Of which no two pixels are alike: what was done to one can be read off."""
    pixels = np.arange(1, number * size * size + 1, dtype=np.float32)
    return jnp.asarray(pixels.reshape(number, size, size, 1))


def moves(original, size=16):
    """Everything that "flip,crop" can make of an image: flipped or not, moved by up to two pixels of 16."""
    for flipped in (original, original[:, ::-1]):
        padded = np.pad(flipped, ((2, 2), (2, 2), (0, 0)))
        for row in range(5):
            for column in range(5):
                yield (flipped is not original, row, column), padded[row : row + size, column : column + size]


def test_every_image_is_flipped_and_moved_in_one_of_the_ways_that_there_are():
    batch, indices = images(), jnp.arange(64)
    augment = make_augmentation("flip,crop", (16, 16, 1), jnp.float32)
    found, ways = np.asarray(augment(jax.random.key(0), batch, indices)), []
    for original, changed in zip(np.asarray(batch), found, strict=True):
        (way,) = [way for way, candidate in moves(original) if np.array_equal(candidate, changed)]
        ways.append(way)
    flipped, rows, columns = map(np.array, zip(*ways, strict=True))
    assert 0.25 < flipped.mean() < 0.75
    assert set(rows) == set(columns) == set(range(5))
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.4


def test_what_happens_to_an_image_depends_on_its_number_and_the_key_and_not_on_the_batch():
    augment = make_augmentation("flip,crop", (16, 16, 1), jnp.float32)
    whole = augment(jax.random.key(0), images(), jnp.arange(64))
    part = jnp.array([40, 3, 17])
    np.testing.assert_array_equal(jax.jit(augment)(jax.random.key(0), images()[part], part), whole[part])
    assert (augment(jax.random.key(1), images(), jnp.arange(64)) != whole).any()


@pytest.mark.parametrize("name", ["flip", "crop"])
def test_one_of_them_alone(name):
    batch = images(8)
    found = np.asarray(make_augmentation(name, (16, 16, 1), jnp.float32)(jax.random.key(2), batch, jnp.arange(8)))
    for original, changed in zip(np.asarray(batch), found, strict=True):
        (way,) = [way for way, candidate in moves(original) if np.array_equal(candidate, changed)]
        assert way[1:] == (2, 2) if name == "flip" else not way[0]
    assert make_augmentation("none", (3,), jnp.float32) is None


def test_a_small_image_is_moved_by_a_pixel():
    batch = images(32, 4)
    found = np.asarray(make_augmentation("crop", (4, 4, 1), jnp.float32)(jax.random.key(2), batch, jnp.arange(32)))
    padded = np.pad(np.asarray(batch), ((0, 0), (1, 1), (1, 1), (0, 0)))
    ways = {
        place
        for place in np.ndindex(3, 3)
        for number, one in enumerate(found)
        if np.array_equal(one, padded[number, place[0] : place[0] + 4, place[1] : place[1] + 4])
    }
    assert ways == set(np.ndindex(3, 3))
