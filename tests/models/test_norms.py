import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import models, taps
from memorize_jax.models import norm_modules, transplant
from memorize_jax.models.norms import unknown_state

STATISTICS = {"mean": np.zeros(3), "var": np.ones(3)}
VECTORS = {"scale": np.ones(3), "bias": np.zeros(3)}


@pytest.mark.parametrize("name", models.MODELS)
def test_norms_of_this_package_are_those_that_are_called_so(name):
    network = models.create(name, num_classes=3, width=2)
    size = 64 if name == "resnet18_tiny" else 32
    shape = (1, 64) if name == "mnist1d_cnn" else (1, size, size, 3)
    variables = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros(shape))
    called = {module for module in variables["params"] if module.endswith("_bn")}
    assert bool(called) == name.startswith(("vgg", "resnet"))
    assert norm_modules(variables) == called


@pytest.mark.parametrize("mode", ["batch", "ema"])
def test_batch_norm_of_equinox_is_a_norm_by_its_state(mode):
    eqx = pytest.importorskip("equinox")
    make = lambda: eqx.nn.Sequential([eqx.nn.Linear(4, 5, key=jax.random.key(0)), eqx.nn.BatchNorm(5, "n", mode=mode)])
    # The state stands in the module itself, or, as in training, in one of its own.
    for network in (make(), eqx.nn.make_with_state(make)()):
        held = taps.split(network)
        assert norm_modules({"params": held["params"], "batch_stats": held["state"]}) == {"layers/1"}


def test_batch_norm_of_pytorch_is_a_norm_by_its_buffers_with_and_without_scale():
    buffers = {"running_mean": np.zeros(3), "running_var": np.ones(3), "num_batches_tracked": np.int64(4)}
    affine = {"weight": np.ones(3), "bias": np.zeros(3)}
    params = {"features.0": {"weight": np.ones((3, 2, 5, 5))}, "features.1": affine}
    assert norm_modules({"params": params, "batch_stats": {"features.1": buffers, "head.0": buffers}}) == {
        "features.1",
        "head.0",
    }


@pytest.mark.parametrize(
    ("params", "state"),
    [
        pytest.param({"a": {"kernel": np.ones((2, 3)), **VECTORS}}, {"a": STATISTICS}, id="holds the layer, too"),
        pytest.param({"a": VECTORS}, {}, id="LayerNorm"),
        pytest.param({"a": VECTORS}, {"a": {"moving_average": np.ones(3)}}, id="says not what its state is"),
        pytest.param({"a": {"weight": np.ones((2, 3))}}, {"a": {"weight_u": np.ones(2)}}, id="spectral norm"),
        pytest.param({"a": VECTORS}, {"a/~/mean_ema": {"average": np.ones(3)}}, id="a mean alone"),
    ],
)
def test_what_is_no_norm_with_running_statistics_is_not_taken_for_one(params, state):
    assert norm_modules({"params": params, "batch_stats": state}) == set()


def network(seed, **state):
    """A layer and its norm under names that say nothing, and state that is no norm's."""
    rng = np.random.default_rng(seed)
    drawn = lambda leaves: {name: rng.normal(size=np.shape(leaf)).astype(np.float32) for name, leaf in leaves.items()}
    params = {"a": drawn({"kernel": np.ones((2, 3))}), "b": drawn(VECTORS)}
    return {"params": params, "batch_stats": {"b": drawn(STATISTICS), "drop": {"count": np.uint32(seed)}, **state}}


@pytest.mark.parametrize(
    ("bn", "scale", "statistics"),
    [("with_layer", 1, 1), ("keep", 0, 0), ("rewind_stats_only", 0, 1), ("recalibrate", 1, 1)],
)
def test_policies_hold_for_norms_of_any_name(bn, scale, statistics):
    networks = [network(0), network(1)]
    mixed = transplant(*networks, ("a", "b", "drop"), bn=bn)
    assert mixed["params"]["a"] is networks[1]["params"]["a"]
    assert mixed["params"]["b"] is networks[scale]["params"]["b"]
    assert mixed["batch_stats"]["b"] is networks[statistics]["batch_stats"]["b"]


def test_what_stays_is_refused_where_state_that_differs_may_be_a_norms_and_counts_are_none():
    first, second = network(0, a={"moving": np.zeros(3)}), network(1, a={"moving": np.ones(3)})
    assert unknown_state(first, second, ("a", "b", "drop")) == {"a": ["moving"]}
    for bn in ("keep", "rewind_stats_only"):
        message = rf"expected bn=with_layer, as the state of a \(moving\) is not known to be .* got {bn}"
        with pytest.raises(ValueError, match=message):
            transplant(first, second, ("a", "b"), bn=bn)
        # A constant, as the mean of the data, is the same wherever it comes from.
        same = network(1, a={"moving": np.zeros(3)})
        assert transplant(first, same, ("a",), bn=bn)["params"]["a"] is same["params"]["a"]
    assert transplant(first, second, ("a",))["batch_stats"]["a"] is second["batch_stats"]["a"]
