"""The gate: every kind of input gives the right number or one clear line."""

import dataclasses
import types
import warnings

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pandas as pd
import pytest

from memorize_jax import geometry
from memorize_jax.analysis import analyze
from memorize_jax.geometry.points import as_array, as_labels
from memorize_jax.measurements import decoding
from tests.geometry.shared import JITTED, KEY, LABELS, OPTIONS, POINTS, ROWS, measure, told

EXPECTED = told(POINTS.astype(np.float32))
WHOLE = np.round(1000 * POINTS)


@pytest.mark.parametrize(
    ("points", "rtol"),
    {
        "1e200": (POINTS * 1e200, 1e-5),
        "1e-200": (POINTS * 1e-200, 1e-5),
        "1e300": (POINTS * 1e300, 1e-5),
        "subnormal": (POINTS * 1e-305, 1e-5),
        "1e30": (POINTS * 1e30, 1e-5),
        "offset 1e6": (POINTS + 1e6, 1e-5),
        "offset of 1e6 standardized by hand": ((POINTS + 1e6) * 1e100, 1e-5),
        "offset 1e11": (POINTS + 1e11, 1e-3),
        "offsets by feature": (POINTS + 1e6 * np.arange(8), 1e-5),
        # Rounded to 1/16 by float32 itself.
        "offset 1e6 in float32": ((POINTS + 1e6).astype(np.float32), 3e-2),
        "offset 1e4 in float32": ((POINTS + 1e4).astype(np.float32), 1e-3),
        "offset 1e6 in float32 of jax": (jnp.asarray((POINTS + 1e6).astype(np.float32)), 3e-2),
        "int64 with an offset": (WHOLE.astype(np.int64) + 10**9, 1e-3),
        "int32": (WHOLE.astype(np.int32) - 10**8, 1e-3),
        "int16": (WHOLE.astype(np.int16), 1e-3),
        "uint8": ((10 * (POINTS - POINTS.min())).astype(np.uint8), 5e-2),
        "float16": (POINTS.astype(np.float16), 1e-2),
        "bfloat16": (POINTS.astype(ml_dtypes.bfloat16), 5e-2),
        "bfloat16 of jax": (jnp.asarray(POINTS, jnp.bfloat16), 5e-2),
        "longdouble": (POINTS.astype(np.longdouble), 1e-5),
        "big endian": (POINTS.astype(">f8"), 1e-5),
        "big endian, single": (POINTS.astype(">f4"), 1e-5),
        "Fortran order": (np.asfortranarray(POINTS), 1e-5),
        "strided": (np.repeat(POINTS, 2, axis=2)[..., ::2], 1e-5),
        "read-only": (np.broadcast_to(POINTS.astype(np.float32), POINTS.shape), 1e-5),
        "masked array without a mask": (np.ma.masked_array(POINTS), 1e-5),
        "list": (list(POINTS), 1e-5),
        "tuple of jax and NumPy": (tuple([jnp.asarray(POINTS[0], jnp.float32), *POINTS[1:]]), 1e-5),
        "nested lists": (POINTS.tolist(), 1e-5),
        "data frames": ([pd.DataFrame(one) for one in POINTS], 1e-5),
        "features x examples": (geometry.from_mftma([one.T for one in POINTS]), 1e-5),
    }.values(),
)
def test_all_kinds_of_real_numbers_give_the_same_geometry(points, rtol):
    np.testing.assert_allclose(told(points), EXPECTED, rtol=rtol)


def test_units_and_offsets_do_not_matter_to_other_measurements():
    far = POINTS * 1e200 + 1e203
    ratios = [geometry.total_dimension(points).participation_ratio for points in (far, POINTS)]
    np.testing.assert_allclose(*ratios, rtol=1e-4)
    capacities = [geometry.simulated_capacity(own, key=KEY, num_dichotomies=20).capacity for own in (far, POINTS)]
    np.testing.assert_allclose(*capacities, rtol=1e-6)
    fit = lambda rows: decoding.fit_subspaces(rows, LABELS, num_classes=4, num_components=2)
    expected, units = decoding.classify(fit(ROWS), ROWS), 10.0 ** np.linspace(-200, 200, 24)[:, None]
    np.testing.assert_array_equal(decoding.classify(fit(ROWS), ROWS * units), expected)
    for unit in (1e200, 1e-200):
        np.testing.assert_array_equal(decoding.classify(fit(ROWS * unit), ROWS * unit), expected)


def test_one_manifold_of_tiny_numbers_leaves_the_others_as_they_are():
    tiny, zero = POINTS.astype(np.float64), POINTS.astype(np.float64)
    tiny[1] *= 1e-42
    zero[1] = 0
    assert np.isfinite(told(tiny)).any()
    np.testing.assert_allclose(told(tiny), told(zero), rtol=1e-5, atol=1e-6)


def test_a_basis_given_with_float64_points_is_removed_from_them():
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 3)))[0].T
    given = {"num_center_components": None, "center_basis": basis}
    before = told(POINTS.astype(np.float32), **given)
    assert np.all(np.abs(before / EXPECTED - 1)[:4] > 1e-3)
    np.testing.assert_allclose(told(1e100 * (POINTS + 1e3), **given), before, rtol=1e-4)


def test_the_distance_of_a_center_is_in_the_unit_of_the_data():
    near = measure(POINTS.astype(np.float32)).center_norm
    np.testing.assert_allclose(measure(POINTS * 1e25).center_norm, near * 1e25, rtol=1e-5)
    assert np.all(np.isposinf(measure(POINTS * 1e200).center_norm))
    assert np.all(measure(POINTS * 1e-200).center_norm == 0)


@pytest.mark.slow
def test_float64_stays_what_it_is_where_jax_computes_in_it(x64):
    found = measure(POINTS + 1e6)
    assert found.capacity.dtype == jnp.float64
    np.testing.assert_allclose(told(POINTS + 1e6), told(POINTS), rtol=1e-6)
    np.testing.assert_allclose(told(POINTS * 1e200), told(POINTS), rtol=1e-9)


def test_inside_jit_halves_are_promoted_and_an_offset_is_taken_off():
    np.testing.assert_allclose(JITTED((POINTS + 1e4).astype(np.float32)).capacity, EXPECTED[:4], rtol=1e-3)
    halves = jax.eval_shape(JITTED, jax.ShapeDtypeStruct(POINTS.shape, jnp.bfloat16))
    assert halves.capacity.dtype == jnp.float32
    with pytest.raises(ValueError, match="expected real numbers as points, got complex64"):
        JITTED(POINTS.astype(np.complex64))


def test_the_gradient_does_not_see_the_origin():
    loss = lambda points: jnp.sum(measure(points).capacity)
    near, far = (jax.grad(loss)(jnp.asarray(POINTS + offset, jnp.float32)) for offset in (0, 1000))
    np.testing.assert_allclose(near, far, atol=2e-3 * np.abs(near).max())


NOT_POINTS = {
    "complex": (POINTS + 1j, "expected real numbers as points, got complex128"),
    "dates": (WHOLE.astype("datetime64[s]"), r"got datetime64\[s\]"),
    "time differences": (WHOLE.astype("timedelta64[s]"), r"got timedelta64\[s\]"),
    "objects": (POINTS.astype(object), "got object"),
    "text": (POINTS.astype(str), "got <U"),
    "structured": (np.zeros((4, 6, 8), [("a", "f4")]), r"got \[\('a', '<f4'\)\]"),
    "raw bytes": (np.zeros((4, 6, 8), "V2"), r"got \|V2; NumPy stores bfloat16 as such raw bytes"),
    "keys": (jax.random.split(KEY, (4, 6, 8)), "got key<fry>"),
    "masked": (np.ma.masked_less(POINTS, -2), "expected points without masked values, got 30; leave them out"),
    "masked in a list": (
        [*POINTS[:3], np.ma.masked_less(POINTS[3], 0)],
        "expected manifold 3 of points without masked",
    ),
    "none": (None, "got object"),
    "0-d": (3.0, r"expected points \[manifolds, examples, features\], got shape \(\)"),
    "unequal features": ([POINTS[0], POINTS[1, :, :5]], r"expected a list of \[M_i, N\] arrays with the same N"),
    "no manifold": ([], "expected at least 2 manifolds, got 0"),
    "no example": ([POINTS[0], POINTS[1, :0]], "expected at least 1 example per manifold"),
    "no feature": (POINTS[..., :0], "and 1 feature in points"),
    "rows of unequal length": ([[[1, 2], [3]], [[1, 2]]], "expected manifold 0 of points as one array, got list"),
    "infinite": (np.where(np.arange(8) == 3, np.inf, POINTS), "24 NaN or infinite values, the first in manifold 0, ex"),
    "NaN in a list": ([POINTS[0], POINTS[1] * np.nan], "48 NaN or infinite values, the first in manifold 1, example 0"),
}


@pytest.mark.parametrize(("points", "message"), NOT_POINTS.values(), ids=NOT_POINTS)
def test_what_is_no_points_is_refused(points, message):
    for call in (measure, lambda points: geometry.simulated_capacity(points, key=KEY)):
        with pytest.raises(ValueError, match=message):
            call(points)


def test_a_layer_that_is_refused_is_named():
    for call in (
        lambda: geometry.layer_geometry({"good": POINTS, "fft": POINTS + 1j}, **OPTIONS),
        lambda: analyze({"good": ROWS, "fft": ROWS + 1j}, LABELS),
        lambda: geometry.streamed_layer_geometry(
            lambda x: {"good": x, "fft": x + 1j}, jnp.asarray(POINTS), manifolds_at_a_time=2, **OPTIONS
        ),
    ):
        with pytest.raises(ValueError, match=r"expected real numbers as .* of layer 'fft', got complex"):
            call()
    with pytest.raises(ValueError, match="expected real numbers as activations, got complex128"):
        decoding.fit_subspaces(ROWS + 1j, LABELS, num_classes=4)
    with pytest.raises(ValueError, match="expected real numbers as points, got complex128"):
        geometry.total_dimension(POINTS + 1j)
    with pytest.raises(ValueError, match="1 NaN or infinite values, the first in manifold 0, example 15"):
        geometry.total_dimension(np.where(np.arange(192).reshape(24, 8) == 121, np.nan, ROWS))


def test_layers_of_different_kinds_go_together():
    # Features that are zero are none.
    wide = np.pad(POINTS.astype(np.float16), [(0, 0), (0, 0), (0, 30)])
    found = geometry.layer_geometry({"a": POINTS * 1e200, "b": wide, "c": WHOLE.astype(np.int32)}, **OPTIONS)
    np.testing.assert_allclose(found.capacity, np.tile(EXPECTED[:4], (3, 1)), rtol=1e-2)
    np.testing.assert_allclose(found.center_correlation, EXPECTED[-1], rtol=1e-2)
    assert found.summary()["capacity"].shape == (3,)
    assert np.isposinf(found["a"].center_norm).all()
    assert np.isfinite(found["c"].center_norm).all()


LABELS_LIKE = {
    "floats": LABELS * 1.0,
    "fractions": LABELS + 0.5,
    "a row of doubles": LABELS[None] * 1.0,
    "dates": LABELS.astype("datetime64[D]"),
    "time differences": LABELS.astype("timedelta64[D]"),
    "complex": LABELS + 0j,
    "bfloat16": LABELS.astype(ml_dtypes.bfloat16),
}
# What `analyze` takes as names of classes, or refuses in other words.
NAMES_LIKE = {
    "a column": LABELS[:, None],
    "text": np.array(list("abcd"))[LABELS],
    "objects": LABELS.astype(object),
    "truth": LABELS > 1,
    "missing": pd.Series([None, *LABELS[1:]]),
    "nothing": [],
}


@pytest.mark.parametrize("labels", [*LABELS_LIKE.values(), *NAMES_LIKE.values()], ids=[*LABELS_LIKE, *NAMES_LIKE])
def test_labels_are_integers(labels):
    calls = [lambda: analyze(ROWS, labels), lambda: decoding.fit_subspaces(ROWS, labels, num_classes=4)]
    for call in calls[any(labels is one for one in NAMES_LIKE.values()) :]:
        with pytest.raises(ValueError, match=r"expected integer labels \[(n|24)\], got .*; np.unique\(np.ravel"):
            call()


def test_labels_that_mean_no_class_are_refused():
    with pytest.raises(ValueError, match="expected labels >= 0, got -1 in row 6; leave out"):
        as_labels(np.where(LABELS == 1, -1, LABELS))
    with pytest.raises(ValueError, match="expected labels without masked values, got 6"):
        as_labels(np.ma.masked_equal(LABELS, 2))
    for labels in (LABELS.tolist(), LABELS.astype(np.uint64), jnp.asarray(LABELS), pd.Series(LABELS), LABELS[::-1]):
        assert as_labels(labels).dtype.kind in "iu"


class Tensor:
    """What the gate uses of PyTorch's tensors; NumPy may read it only as PyTorch allows."""

    def __init__(self, values, dtype="torch.float32", needs_grad=True, device="cuda:0"):
        self.values, self.dtype, self.needs_grad, self.device = values, dtype, needs_grad, device

    detach = lambda self: Tensor(**vars(self) | {"needs_grad": False})
    cpu = lambda self: Tensor(**vars(self) | {"device": "cpu"})
    float = lambda self: Tensor(**vars(self) | {"dtype": "torch.float32"})

    def __array__(self, dtype=None, copy=None):
        if self.needs_grad or self.device != "cpu" or self.dtype == "torch.bfloat16":
            raise TypeError(f"can't convert {self.dtype} on {self.device}")
        return np.asarray(self.values, dtype)


@pytest.mark.parametrize("dtype", ["torch.float32", "torch.bfloat16"])
def test_tensors_of_pytorch_go_in_wherever_they_are(dtype):
    values = ROWS.astype(np.float32)
    np.testing.assert_array_equal(as_array(Tensor(values, dtype)), values)
    np.testing.assert_array_equal(as_labels(Tensor(LABELS, "torch.int64")), LABELS)


def test_outputs_that_are_no_array_are_refused_by_the_name_of_their_layer():
    for outputs in ((ROWS, ROWS), {"hidden": ROWS}, [ROWS[:3], ROWS[:2]], types.SimpleNamespace(), Tensor(ROWS[0])):
        with pytest.raises(ValueError, match="layer 'lstm'"):
            analyze({"lstm": outputs}, LABELS)


def test_a_list_that_looks_like_the_published_layout_is_warned_of():
    transposed = [one.T for one in np.repeat(POINTS, 2, axis=2)]
    with pytest.warns(UserWarning, match=r"more examples than features; .*geometry.from_mftma\(points\)"):
        measure(transposed)
    # Arrays are taken at their word, and so is what a few neurons of a network show.
    measure(np.stack(transposed))
    geometry.layer_geometry({"narrow": transposed}, **OPTIONS)
    with pytest.raises(ValueError, match=r"expected a list of \[N, M_i\] arrays"):
        geometry.from_mftma(POINTS[0])


def test_names_of_layers_stay_with_their_numbers():
    layers = {name: POINTS[..., :number] for name, number in (("conv2", 3), ("conv10", 5), ("conv1", 8))}
    eager = geometry.layer_geometry(layers, classes=[3, 5, 7, 9], **OPTIONS)
    several = {name: jnp.asarray(np.stack([points, 2 * points]), jnp.float32) for name, points in layers.items()}
    mapped = jax.vmap(lambda layers: geometry.layer_geometry(layers, classes=[3, 5, 7, 9], **OPTIONS))(several)
    assert (mapped.capacity.shape, mapped.classes) == ((2, 3, 4), (3, 5, 7, 9))
    assert eager.layers == tuple(layers)
    # jax sorts a dict.
    assert mapped.layers == ("conv1", "conv10", "conv2")
    first = jax.tree.map(lambda leaf: np.asarray(leaf[0]), mapped)
    renamed = dataclasses.replace(first, classes=(1, 2, 3, 4))
    assert jax.tree.structure(renamed) != jax.tree.structure(first)
    np.testing.assert_array_equal(renamed.draws_needed(0.01), first.draws_needed(0.01))
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves)[1], first, first)
    for name in layers:
        for one in (first[name], stacked[name], jax.tree.map(lambda leaf: leaf[1], mapped[name])):
            np.testing.assert_allclose(one.capacity, eager[name].capacity, rtol=1e-4)
            assert one.center_correlation.shape == ()
            assert one.layers is None
    np.testing.assert_allclose(eager["conv1"].capacity, EXPECTED[:4], rtol=1e-4)
    with pytest.raises(KeyError, match=r"expected a layer out of .*'conv2'.*got 'conv3'"):
        first["conv3"]
    with pytest.raises(KeyError, match="expected a layer axis of 3"):
        jax.tree.map(lambda leaf: leaf[0], first)["conv1"]
    assert repr(first).startswith("ManifoldGeometry(3 layers x 4 classes: capacity ")


@pytest.mark.slow
def test_names_survive_pmap():
    layers = {name: jnp.asarray(POINTS[None, ..., :number], jnp.float32) for name, number in (("b", 3), ("a", 8))}
    found = jax.pmap(lambda layers: geometry.layer_geometry(layers, classes=[3, 5, 7, 9], **OPTIONS))(layers)
    assert found.classes == (3, 5, 7, 9)
    np.testing.assert_allclose(found["b"].capacity[0], measure(POINTS[..., :3]).capacity, rtol=1e-4)


def test_one_warning_names_layer_class_and_reason():
    dead = np.where(np.arange(4)[:, None, None] == 2, POINTS.mean(axis=(0, 1)), POINTS)
    layers = {"fc": POINTS[..., :3], "relu7": 0 * POINTS[..., :5], "constant": 0 * POINTS + 5.3}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = geometry.layer_geometry(layers, classes=[2, 3, 5, 7], **OPTIONS)
    (text,) = [str(one.message) for one in said]
    for name in ("relu7", "constant"):
        assert f"layer '{name}', classes 2, 3, 5, 7: " in text
        assert np.all(found[name].status != 0)
    assert "'fc'" not in text
    JITTED(np.zeros((4, 6, 8), np.float32))
    with pytest.raises(ValueError, match=r"expected classes \[4\], got 2"):
        measure(dead, classes=[1, 2])


@pytest.mark.parametrize("value", [0.1, 5.3, 1e6 / 3, -7e-5])
def test_a_constant_layer_is_never_a_number(value):
    for dtype in (np.float32, np.float64):
        with pytest.warns(UserWarning, match="classes 0, 1, 2, 3"):
            found = measure(np.full((4, 6, 8), value, dtype))
        assert np.isnan(found.capacity).all()


def test_what_cannot_fit_is_refused_before_it_is_made():
    with pytest.raises(ValueError, match=r"10+ draws for each of 4 manifolds of 6 examples would .* lower num_draws"):
        measure(POINTS, num_draws=10**12)
    huge = np.broadcast_to(np.float32(1), (4, 10**7, 10**6))
    with pytest.raises(ValueError, match=r"points of layer 'a' \[4, 10000000, 1000000\] would take .* TB of memory"):
        geometry.layer_geometry({"a": huge}, **OPTIONS)
    assert geometry.peak_bytes(1, 10, 50, 0, 1000, chunk=10) > geometry.peak_bytes(1, 10, 50, 0, 1000, chunk=1)
    assert geometry.peak_bytes(2, 10, 50, 800, 300, itemsize=8) == 2 * geometry.peak_bytes(2, 10, 50, 800, 300)
