"""What comes again is not computed again, and what is remembered is the same to the last bit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax.geometry import joint_geometry
from memorize_jax.geometry.centers import center_structure
from memorize_jax.geometry.qp import callback
from memorize_jax.geometry.remembered import Memory, key_of

needs_numba = pytest.mark.skipif(not callback.is_available(), reason="needs numba")


def test_the_oldest_results_go_and_large_ones_are_not_kept():
    memory = Memory(80)
    for name in (b"a", b"b"):
        memory.keep(name, name, 10)
    memory.keep(b"large", b"large", 11)
    assert memory.accepts(10)
    assert not memory.accepts(11)
    assert [memory.find(name) for name in (b"a", b"b", b"large")] == [b"a", b"b", None]
    assert memory.find(b"a") == b"a"
    for number in range(7):
        memory.keep(bytes([number]), number, 10)
    # b was asked for before a.
    assert memory.find(b"b") is None
    assert memory.find(b"a") == b"a"


def test_keys_tell_types_shapes_and_bits_apart():
    zeros = np.zeros(4)
    others = [
        zeros.astype(np.float32),
        zeros.reshape(2, 2),
        -zeros,
        np.nextafter(zeros, 1),
        np.concatenate([zeros, zeros]),
    ]
    keys = [key_of(each) for each in (zeros, *others)]
    assert len(set(keys)) == len(keys)
    assert key_of(zeros[::2]) == key_of(np.zeros(2))
    assert key_of(zeros, zeros) != key_of(np.zeros(8))


@needs_numba
@pytest.mark.slow
def test_layers_that_come_again_are_neither_projected_nor_searched_again(monkeypatch):
    from memorize_jax.geometry import center_host
    from memorize_jax.geometry.qp import many_points

    rng, key = np.random.default_rng(0), jax.random.key(0)
    same, first, second = rng.normal(size=(3, 5, 12, 30)).astype(np.float32)
    calls = []

    def counted(name, function):
        def call(*arguments, **options):
            calls.append((name, len(arguments[0])))
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(center_host, "search", counted("search", center_host.search))
    monkeypatch.setattr(many_points, "solve_by_root", counted("solve", many_points.solve_by_root))

    def measured(*layers):
        calls.clear()
        centers = jnp.stack([layer.mean(axis=1) for layer in layers])
        shared = jax.vmap(lambda own: center_structure(own @ own.T, key=key))(centers)
        # The host is done before it is looked at.
        return jax.device_get((shared, [joint_geometry(layer, key=key, num_draws=30) for layer in layers]))

    before = measured(same, first)
    assert ("search", 2) in calls
    projected = calls.count(("solve", 1))
    after = measured(same, second)
    assert ("search", 1) in calls
    assert ("search", 2) not in calls
    assert 0 < calls.count(("solve", 1)) < projected
    again = measured(same, first)
    assert calls == []
    for old, new in zip(jax.tree.leaves(before), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(old, new)
    # The same layer beside another one.
    for old, new in zip(jax.tree.leaves(before[0]), jax.tree.leaves(after[0]), strict=True):
        np.testing.assert_array_equal(old[0], new[0])
    for old, new in zip(jax.tree.leaves(before[1][0]), jax.tree.leaves(after[1][0]), strict=True):
        np.testing.assert_array_equal(old, new)
