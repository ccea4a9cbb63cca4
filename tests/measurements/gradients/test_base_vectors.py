import functools
import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from memorize_jax.data import ChannelStatistics, PermutedLabels, standardize
from memorize_jax.measurements.gradients.base_vectors import measure_gradients
from memorize_jax.measurements.gradients.parts import FORMS, cosine, gradient_rows, parts
from memorize_jax.models.batch_norm import BatchNorm
from memorize_jax.models.layers import AFTER_RELU, LOGITS, layer
from memorize_jax.statistics import student_t_interval
from memorize_jax.training.step import cross_entropy

LAYERS = (layer("linear", 1, AFTER_RELU), layer("linear", 2, LOGITS))
CLASSES, FEATURES = 4, 7
STATISTICS = ChannelStatistics(np.float32([0.3]), np.float32([1.7]))


class Net(nn.Module):
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x, train=False, mask=None):
        x = nn.Dense(8, name="linear1", param_dtype=self.dtype)(x)
        x = nn.relu(BatchNorm(self.dtype, name="linear1_bn")(x, train, mask))
        return nn.Dense(CLASSES, name="linear2", param_dtype=self.dtype)(x)


def random_variables(seed=0):
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(Net().init, jax.random.key(0), jnp.zeros((1, FEATURES)))
    # Positive, for there are variances among them.
    return jax.tree.map(lambda leaf: np.float32(rng.uniform(0.1, 1, leaf.shape) - 0.4 * (leaf.ndim > 1)), shapes)


def problem(num, seed=0, separation=1.0):
    """Examples around class means, half of them with labels drawn at random."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, CLASSES, num).astype(np.int32)
    means = np.random.default_rng(99).normal(size=(CLASSES, FEATURES))
    images = (separation * means[true] + rng.normal(size=(num, FEATURES))).astype(np.float32)
    is_permuted = np.arange(num) % 2 == 1
    assigned = np.where(is_permuted, rng.integers(0, CLASSES, num), true).astype(np.int32)
    return images, PermutedLabels(assigned, true, is_permuted)


def batches_of(num, size):
    padded = -(-num // size) * size
    indices = np.minimum(np.arange(padded), num - 1).astype(np.int32).reshape(-1, size)
    mask = (np.arange(padded) < num).astype(np.float32).reshape(-1, size)
    return list(zip(indices, mask, strict=True))


def measured(variables, images, labels, size=32, bn="train"):
    options = {"layers": LAYERS, "statistics": STATISTICS, "batches": batches_of(len(images), size), "bn": bn}
    return measure_gradients(Net(), variables, images, labels, **options)


@functools.partial(jax.jit, static_argnames="bn")
def derivatives(variables, inputs, mask, assigned, *, bn):
    """The gradients of every logit and of the loss of every example, and the model's probabilities."""
    model = Net(jnp.float64)

    def logits_of(params):
        own = {**variables, "params": params}
        if bn == "eval":
            return model.apply(own, inputs)
        return model.apply(own, inputs, train=True, mask=mask, mutable=["batch_stats"])[0]

    params = variables["params"]
    losses = jax.jacrev(lambda params: cross_entropy(logits_of(params), assigned))(params)
    return jax.jacrev(logits_of)(params), losses, jax.nn.softmax(logits_of(params))


def example_gradients(variables, images, labels, bn, size=32):
    """By layer, in float64: [n, P, parameters] of logits and [n, parameters] of losses; and probabilities [n, P]."""
    wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), variables)
    found = []
    for indices, mask in batches_of(len(images), size):
        inputs = standardize(images[indices].astype(np.float64), STATISTICS)
        shown = derivatives(wide, inputs, mask, labels.assigned[indices], bn=bn)
        real = int(mask.sum())
        found.append(jax.tree.map(lambda leaf, real=real: np.asarray(leaf)[:real], shown))
    logits, losses, probabilities = jax.tree.map(lambda *leaves: np.concatenate(leaves), *found)

    def by_layer(tree, lead):
        leaves_of = lambda own: jax.tree.leaves([tree[module] for module in own.modules if module in tree])
        flat = lambda own: [leaf.reshape(*leaf.shape[:lead], -1) for leaf in leaves_of(own)]
        return {own.name: np.concatenate(flat(own), axis=-1) for own in LAYERS}

    return by_layer(logits, 2), by_layer(losses, 1), probabilities


def rows_of(found, **options):
    rows = gradient_rows(found, LAYERS, {"seed": 0, "epoch": 0, "bn": "train"}, **options)
    return {(row["layer"], row["group"], row["part"], row["form"]): row for row in rows}


GROUPS = {
    "all": lambda labels: np.ones(len(labels.true), bool),
    "unpermuted": lambda labels: ~labels.is_permuted,
    "permuted": lambda labels: labels.is_permuted,
}


@pytest.mark.parametrize("bn", ["train", "eval"])
def test_the_parts_equal_equations_15_and_16_example_by_example_in_float64(x64, bn):
    """Equation 16 for every layer: the mean gradient of each class over all examples is taken off, in so many words."""
    images, labels = problem(60)
    variables = random_variables()
    rows = rows_of(measured(variables, images, labels, bn=bn))
    logits, losses, model = example_gradients(variables, images, labels, bn)
    one_hot = np.eye(CLASSES)[labels.assigned]
    for own in LAYERS:
        every = logits[own.name]
        for form, mean in (("eq15", every.mean((0, 1))), ("eq16", every.mean(0))):
            centered, vectors = every - mean, {}
            for group, members in GROUPS.items():
                chosen = members(labels)
                vectors[group, "full"] = losses[own.name][chosen].mean(0)
                vectors[group, "dep"] = -np.einsum("nc,ncw->w", one_hot[chosen], centered[chosen]) / chosen.sum()
                vectors[group, "ind"] = np.einsum("nc,ncw->w", model[chosen], centered[chosen]) / chosen.sum()
                if form == "eq15":
                    # Claim 1.
                    np.testing.assert_allclose(
                        vectors[group, "dep"] + vectors[group, "ind"], vectors[group, "full"], atol=1e-12, rtol=1e-9
                    )
            angle = lambda a, b: a @ b / np.sqrt((a @ a) * (b @ b))
            for (group, part), vector in vectors.items():
                if (form, part) == ("eq16", "full"):
                    continue
                row = rows[own.name, group, part, form]
                np.testing.assert_allclose(row["squared_norm"], vector @ vector, rtol=1e-5)
                np.testing.assert_allclose(row["cosine_with_ind"], angle(vector, vectors[group, "ind"]), atol=1e-5)
                np.testing.assert_allclose(
                    row["cosine_with_permuted"], angle(vector, vectors["permuted", part]), atol=1e-5
                )


def test_a_small_gradient_left_of_large_parts_keeps_its_digits(x64):
    """Late in training the parts are large and nearly cancel."""
    images, labels = problem(60, separation=4.0)
    labels = labels._replace(assigned=labels.true)
    means = (4.0 * np.random.default_rng(99).normal(size=(CLASSES, FEATURES)) - 0.3) / 1.7
    variables = random_variables()
    kernel = np.zeros((FEATURES, 8), np.float32)
    kernel[:, :CLASSES] = 2 * means.T
    variables["params"]["linear1"] = {"kernel": kernel, "bias": np.zeros(8, np.float32)}
    last = np.zeros((8, CLASSES), np.float32)
    last[:CLASSES] = 18 * np.eye(CLASSES)
    variables["params"]["linear2"] = {"kernel": last, "bias": np.zeros(CLASSES, np.float32)}
    rows = rows_of(measured(variables, images, labels))
    _, losses, _ = example_gradients(variables, images, labels, "train")
    for own in LAYERS:
        exact = losses[own.name].mean(0)
        row = rows[own.name, "all", "full", "eq15"]
        assert row["squared_norm"] < 1e-3 * rows[own.name, "all", "dep", "eq15"]["squared_norm"]
        np.testing.assert_allclose(row["squared_norm"], exact @ exact, rtol=1e-5)


def test_the_closed_form_of_the_last_layer(x64):
    """Claim 2: equations 2 and 16, and what equation 15 is there."""
    images, labels = problem(60)
    variables = random_variables()
    found = measured(variables, images, labels, bn="eval")
    rows = rows_of(found)
    inputs = (images.astype(np.float64) - 0.3) / 1.7
    values = jax.tree.map(lambda leaf: leaf.astype(np.float64), variables)
    norm, running = values["params"]["linear1_bn"], values["batch_stats"]["linear1_bn"]
    hidden = inputs @ values["params"]["linear1"]["kernel"] + values["params"]["linear1"]["bias"]
    hidden = (hidden - running["mean"]) / np.sqrt(running["var"] + 1e-5) * norm["scale"] + norm["bias"]
    features = np.maximum(hidden, 0)
    logits = features @ values["params"]["linear2"]["kernel"] + values["params"]["linear2"]["bias"]
    model = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for part, sign, distribution in (("dep", -1, np.eye(CLASSES)[labels.assigned]), ("ind", 1, model)):
        for group, members in GROUPS.items():
            chosen = members(labels)
            n = chosen.sum()
            eq16 = sign * (features - features.mean(0))[chosen].T @ distribution[chosen] / n
            assert rows["linear2", group, part, "eq16"]["squared_norm"] == pytest.approx((eq16**2).sum(), rel=1e-5)
            kernel = sign * (features[chosen].T @ distribution[chosen] / n - features.mean(0)[:, None] / CLASSES)
            bias = sign * (distribution[chosen].mean(0) - 1 / CLASSES)
            expected = (kernel**2).sum() + (bias**2).sum()
            assert rows["linear2", group, part, "eq15"]["squared_norm"] == pytest.approx(expected, rel=1e-5)


def test_dep_vanishes_for_uniform_labels_and_ind_for_a_uniform_model():
    images, labels = problem(60)
    # Every example once with every label.
    labels = PermutedLabels(np.tile(np.arange(CLASSES, dtype=np.int32), 15), labels.true, labels.is_permuted)
    rows = rows_of(measured(random_variables(), np.repeat(images[:15], CLASSES, axis=0), labels, bn="eval"))
    images, labels = problem(60)
    variables = random_variables()
    variables["params"]["linear2"] = jax.tree.map(np.zeros_like, variables["params"]["linear2"])
    uniform = rows_of(measured(variables, images, labels))
    for own, form in itertools.product(LAYERS, FORMS):
        tiny = 1e-11 * rows[own.name, "all", "ind", form]["squared_norm"]
        assert rows[own.name, "all", "dep", form]["squared_norm"] < tiny
    # Where the last layer is zero nothing reaches the layer before.
    for form in FORMS:
        dep, ind = (uniform["linear2", "all", part, form]["squared_norm"] for part in ("dep", "ind"))
        assert ind < 1e-11 * dep


def slope_of(x, y):
    fit = stats.linregress(np.log(x), np.log(y))
    half = stats.t.ppf(0.975, len(x) - 2) * fit.stderr
    return fit.slope, half


def test_at_a_small_initialization_ind_is_of_the_order_of_the_weights():
    """Claim 3, equation 17, with the size of the last layer's weights as |w|."""
    images, labels = problem(60)
    scales = np.float32([1e-1, 3e-2, 1e-2, 3e-3, 1e-3])
    norms = {}
    for scale in scales:
        variables = random_variables()
        variables["params"]["linear2"] = jax.tree.map(lambda leaf, s=scale: s * leaf, variables["params"]["linear2"])
        rows = rows_of(measured(variables, images, labels))
        for own, part in itertools.product(LAYERS, ("dep", "ind")):
            norm = rows[own.name, "all", part, "eq15"]["squared_norm"] ** 0.5
            norms.setdefault((own.name, part), []).append(norm)
    # In the layer before, everything is multiplied by these weights once more.
    powers = {("linear2", "ind"): 1, ("linear2", "dep"): 0, ("linear1", "ind"): 2, ("linear1", "dep"): 1}
    for key, expected in powers.items():
        slope, half = slope_of(scales, norms[key])
        assert abs(slope - expected) < max(half, 1e-3)
        assert half < 0.05


def test_dep_of_permuted_examples_falls_with_the_root_of_their_number():
    """Claim 3, equations 23 and 25: label noise averages out, what the true labels share does not."""
    sizes = (64, 512, 4096)
    slopes = {"permuted": [], "unpermuted": []}
    for seed in range(8):
        found = {group: [] for group in slopes}
        for num in sizes:
            images, labels = problem(num, seed)
            rows = rows_of(measured(random_variables(seed), images, labels, size=64, bn="eval"))
            for group in slopes:
                found[group].append(rows["linear2", group, "dep", "eq15"]["squared_norm"] ** 0.5)
        for group in slopes:
            slopes[group].append(slope_of(np.array(sizes), found[group])[0])
    permuted, unpermuted = (student_t_interval(slopes[group]) for group in ("permuted", "unpermuted"))
    assert permuted.low <= -0.5 <= permuted.high
    assert permuted.high - permuted.low < 0.3
    assert abs(unpermuted.mean) < 0.1


def test_shares_add_up_and_centering_leaves_the_full_gradient_alone():
    counts = np.array([30, 10])
    for centering in ("dataset", "subset"):
        found = parts(counts, weighting="share", centering=centering)
        for part in ("full", "dep", "ind"):
            np.testing.assert_allclose(found["unpermuted", part] + found["permuted", part], found["all", part])
        np.testing.assert_array_equal(found["permuted", "full"], parts(counts, weighting="share")["permuted", "full"])
        for group in ("all", "unpermuted", "permuted"):
            np.testing.assert_allclose(found[group, "dep"] + found[group, "ind"], found[group, "full"])
    found = parts(counts, weighting="share", form="eq16")
    for part in ("full", "dep", "ind"):
        np.testing.assert_allclose(found["unpermuted", part] + found["permuted", part], found["all", part])
    means = parts(counts)
    np.testing.assert_allclose(0.25 * means["permuted", "ind"], parts(counts, weighting="share")["permuted", "ind"])


def test_only_equation_15_depends_on_what_the_mean_gradient_goes_over(x64):
    images, labels = problem(60)
    found = measured(random_variables(), images, labels)
    dataset, subset = (rows_of(found, centering=centering) for centering in ("dataset", "subset"))
    for key, row in subset.items():
        assert row["centering"] == ("subset" if key[-1] == "eq15" else "dataset")
        assert row["data_classes"] == CLASSES
        changed = row["squared_norm"] != pytest.approx(dataset[key]["squared_norm"])
        assert changed == (key[-1] == "eq15" and key[1] != "all" and key[2] != "full")


@pytest.mark.parametrize("permuted", [False, True])
def test_one_group_alone_is_all_examples(permuted):
    images, labels = problem(60)
    labels = labels._replace(is_permuted=np.full(60, permuted))
    rows = rows_of(measured(random_variables(), images, labels))
    group = "permuted" if permuted else "unpermuted"
    assert {key[1] for key in rows} == {"all", group}
    for own, part, form in itertools.product(LAYERS, ("dep", "ind"), FORMS):
        norms = [rows[own.name, name, part, form]["squared_norm"] for name in ("all", group)]
        assert norms[0] == pytest.approx(norms[1], rel=1e-12) != 0


def test_an_empty_group_has_no_rows_and_the_cosine_with_nothing_is_unknown():
    assert {group for group, _ in parts(np.array([40, 0]))} == {"all", "unpermuted"}
    assert np.isnan(cosine(np.eye(6), np.eye(6)[0], None))
    assert np.isnan(cosine(np.eye(6), np.eye(6)[0], np.zeros(6)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: parts(np.array([1, 1]), weighting="half"),
            "expected weighting to be one of subset, share, got 'half'",
        ),
        (
            lambda: parts(np.array([1, 1]), centering="none"),
            "expected centering to be one of dataset, subset, got 'none'",
        ),
        (lambda: parts(np.array([1, 1]), form="eq2"), "expected form to be one of eq15, eq16, got 'eq2'"),
        (lambda: measured({}, *problem(4), bn="batch"), "expected bn to be one of train, eval, got 'batch'"),
    ],
)
def test_an_unknown_choice_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("wrong", [[0], [], [0, 1, 1]])
def test_batches_hold_every_example_once(wrong):
    images, labels = problem(64)
    batches = [batches_of(64, 32)[number] for number in wrong]
    options = {"layers": LAYERS, "statistics": STATISTICS, "batches": batches}
    with pytest.raises(ValueError, match=r"expected each of 64 examples once in all batches, got \d+ of them once"):
        measure_gradients(Net(), random_variables(), images, labels, **options)
