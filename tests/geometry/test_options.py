"""One record of options: what keywords build, what jit takes as static, what is refused."""

import dataclasses
import functools
import re

import jax
import numpy as np
import pytest

from memorize_jax import geometry
from memorize_jax.geometry import options
from memorize_jax.geometry.layers import read_layers
from memorize_jax.keys import check_key
from memorize_jax.whole import check_whole
from tests import commands
from tests.geometry.shared import KEY, OPTIONS, POINTS, measure

GIVEN = {name: value for name, value in OPTIONS.items() if name != "key"}
RECORD = geometry.GeometryOptions(**GIVEN)
DOORS = {
    "manifold_geometry": lambda **own: geometry.manifold_geometry(POINTS, key=KEY, **own),
    "layer_geometry": lambda **own: geometry.layer_geometry({"a": POINTS}, key=KEY, **own),
    "joint_geometry": lambda **own: geometry.joint_geometry(POINTS, key=KEY, **own),
    "layer_joint_geometry": lambda **own: geometry.layer_joint_geometry({"a": POINTS}, key=KEY, **own),
    "solve_anchors": lambda **own: geometry.solve_anchors(np.ones((2, 3)), np.ones((4, 3)), **own),
    "capacity_radius_dimension": lambda **own: geometry.capacity_radius_dimension(
        np.ones((2, 3)), np.ones((4, 3)), **own
    ),
    "streamed_geometries": lambda **own: geometry.streamed_geometries(
        lambda x: {"a": x}, POINTS, manifolds_at_a_time=2, key=KEY, **own
    ),
}


def test_a_record_is_what_its_keywords_are():
    run, expected = functools.partial(geometry.manifold_geometry, POINTS, key=KEY), measure(POINTS).capacity
    np.testing.assert_array_equal(run(options=RECORD).capacity, expected)
    fewer = dataclasses.replace(RECORD, num_draws=7, frame="qr")
    np.testing.assert_array_equal(run(options=fewer, num_draws=30, frame="rank").capacity, expected)


def test_a_record_is_hashable_and_static_in_jit():
    assert hash(RECORD) == hash(geometry.GeometryOptions(**GIVEN))
    count = functools.partial(jax.jit, static_argnames="options")(lambda x, *, options: x * options.num_draws)
    assert float(count(2.0, options=RECORD)) == 60
    with pytest.raises(dataclasses.FrozenInstanceError):
        RECORD.num_draws = 3


def test_every_option_is_of_a_measure_and_documented_once():
    names = [field.name for field in dataclasses.fields(geometry.GeometryOptions)]
    assert set(names) == set(options.MEAN_FIELD) | set(options.JOINT) | set(options.ANCHORS)
    assert [geometry.GeometryOptions.__doc__.count(f"\n      {name}: ") for name in names] == [1] * len(names)


@pytest.mark.parametrize("door", DOORS)
def test_unknown_options_are_refused_at_every_door(door):
    with pytest.raises(TypeError, match=r"expected options out of .*kappa.*, got nun_draws"):
        DOORS[door](nun_draws=3)
    with pytest.raises(ValueError, match="expected kappa >= 0, got -1"):
        DOORS[door](kappa=-1)
    other = "num_center_components" if "joint" in door else "classes_per_draw"
    with pytest.raises(TypeError, match=f"got {other}"):
        DOORS[door](**{other: 2})


def test_importing_needs_no_fcntl_and_starts_no_device():
    code = "import sys; sys.modules['fcntl'] = None; import memorize_jax.geometry; from jax._src import xla_bridge as b"
    done = commands.python("-c", f"{code}; assert not b._backends")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("value", [10.5, "5", True, None, np.float32(2)])
def test_what_is_no_whole_number_is_named(value):
    with pytest.raises(ValueError, match=re.escape(f"expected num_draws to be a whole number, got {value!r}")):
        check_whole("num_draws", value)


def test_whole_numbers_of_any_kind_are_whole_and_have_a_least():
    for value in (3, np.int8(3), np.uint64(3)):
        check_whole("num_draws", value, least=3)
    with pytest.raises(ValueError, match="expected num_draws >= 4, got 3"):
        check_whole("num_draws", 3, least=4)


def test_keys_are_keys():
    for key in (KEY, jax.random.PRNGKey(0), jax.random.key(0, impl="rbg")):
        check_key(key)
    jax.jit(check_key)(KEY)
    jax.vmap(lambda key: (check_key(key), 0)[1])(jax.random.split(KEY))
    for wrong, got in ((0, "int 0"), (jax.random.split(KEY), r"\[2\]"), (np.zeros(2), "ndarray of float64")):
        with pytest.raises(ValueError, match=f"expected one key of jax.random.key.seed., got .*{got}"):
            check_key(wrong)


def test_layers_have_names():
    with pytest.raises(ValueError, match=r"expected layers by name, \{name: points\}, got list"):
        read_layers([POINTS])


def test_what_is_no_record_of_options_is_named():
    # Tests check types first, users do not.
    read = getattr(options.read_options, "__wrapped__", options.read_options)
    with pytest.raises(ValueError, match=r"expected options=GeometryOptions\(...\), or its fields as keywords, got {}"):
        read({}, {}, ())
