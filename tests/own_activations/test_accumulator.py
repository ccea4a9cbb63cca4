import dataclasses
import errno
import os
import pickle
import shutil
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax.own_activations.accumulator import GeometryAccumulator
from memorize_jax.own_activations.analyze import analyze
from memorize_jax.own_activations.spilled import SpilledRows
from memorize_jax.own_activations.standing import Standing

M = 5
SMALL: dict[str, Any] = {"num_draws": 20, "joint_draws": 20, "num_center_components": 0}


@pytest.fixture(scope="module")
def data():
    """Two layers of 3 classes of 7 examples, in mixed order."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat([2, 5, 9], 7))
    first = rng.normal(size=(21, 2, 4)).astype(np.float32) + labels[:, None, None].astype(np.float32)
    return {"first": first, "second": np.tanh(first.reshape(21, 8))}, labels


def added(data, order, batch_size, labels=None, **options):
    layers, known = data
    labels = known if labels is None else labels
    asked: dict[str, Any] = {"examples_per_class": M, "progress": False} | SMALL | options
    accumulator = GeometryAccumulator(**asked)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        accumulator.add({name: x[rows] for name, x in layers.items()}, labels[rows], indices=rows)
    return accumulator


def same(one, other, rtol):
    for name in (*one.geometry.PER_MANIFOLD, "center_correlation", "residual_correlation"):
        if name != "kkt_residual":
            np.testing.assert_allclose(getattr(one.geometry, name), getattr(other.geometry, name), rtol, 1e-6)
    for name in ("capacity", "radius", "dimension", "class_capacity", "num_features", "rank"):
        np.testing.assert_allclose(getattr(one.joint, name), getattr(other.joint, name), rtol)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol), one.participation, other.participation)


def of_layer(result, name):
    place = result.layers.index(name)
    fields = ("geometry", "joint", "participation")
    own = jax.tree.map(lambda leaf: leaf[place : place + 1], tuple(getattr(result, field) for field in fields))
    return dataclasses.replace(result, **dict(zip(fields, own, strict=True)))


def joint_of(result):
    assert result.joint is not None
    return result.joint


def rows_of(result):
    return np.concatenate([result.indices[name] for name in sorted(result.indices)])


def test_equals_one_call_on_the_chosen_examples(data):
    layers, labels = data
    result = added(data, np.arange(21), 4).result()
    rows = np.sort(rows_of(result))
    for name, values in layers.items():
        whole = analyze({name: values[rows]}, labels[rows], **SMALL)
        same(of_layer(result, name), whole, 1e-6)
    assert result.layers == ("first", "second")
    assert result.geometry.classes == (2, 5, 9)
    for name, own in result.indices.items():
        np.testing.assert_array_equal(own, rows[whole.indices[name]])
    assert len(result.to_dataframe(per="class")) == 6
    assert result.taken.startswith("5 of the 7 examples of each of 3")


def test_neither_batches_nor_order_matter(data):
    one = added(data, np.arange(21), 21).result()
    other = added(data, np.random.default_rng(1).permutation(21), 2).result()
    for name, own in one.indices.items():
        np.testing.assert_array_equal(own, other.indices[name])
    np.testing.assert_array_equal(one.geometry.capacity, other.geometry.capacity)
    np.testing.assert_array_equal(joint_of(one).capacity, joint_of(other).capacity)


def test_stays_every_example_equally_often():
    counts = np.zeros(12)
    for seed in range(300):
        standing = Standing(4, seed)
        standing.offer([0] * 12, np.arange(12))
        counts[list(standing.index_of.values())] += 1
    # 100 expected, binomial: a standard deviation of 8.2.
    assert np.abs(counts - 100).max() < 33


def test_small_classes_missing_values_and_text(data):
    layers, labels = data
    names = np.array(["cat", "dog", "owl"])[np.searchsorted([2, 5, 9], labels)]
    order = np.flatnonzero((labels != 9) | (np.cumsum(labels == 9) <= 4))
    second = layers["second"].copy()
    second[order[0], 3] = np.nan
    result = added(({**layers, "second": second}, names), order, 6, nan="drop").result()
    assert result.taken.endswith("1 examples left out for NaN")
    assert result.geometry.num_examples[0].tolist() == [len(own) for own in result.indices.values()] == [5, 5, 4]
    assert list(result.indices) == ["cat", "dog", "owl"]
    assert order[0] not in rows_of(result)


def test_wide_numbers_keep_their_digits(data):
    layers, labels = data
    result = added(({"first": layers["first"].astype(np.float64) + 1e7}, labels), np.arange(21), 8).result()
    near = added(({"first": layers["first"]}, labels), np.arange(21), 8).result()
    np.testing.assert_allclose(joint_of(result).capacity, joint_of(near).capacity, 1e-4)
    np.testing.assert_allclose(result.participation.together.plain, near.participation.together.plain, 1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: ({"first": x["first"]}, y), r"layers first, second in every batch, got none of 'second'"),
        (lambda x, y: ({**x, "third": x["first"]}, y), r"got also 'third' in batch 1"),
        (lambda x, y: ({**x, "second": x["second"][:, :3]}, y), r"8 units of layer 'second' .* got 3 in batch 1"),
        (lambda x, y: ({**x, "second": x["second"] * np.inf}, y), r"finite points of layer 'second'"),
        (lambda x, y: ({**x, "second": x["second"].astype(float)}, y), r"float32 of layer 'second' .* got float64"),
        (lambda x, y: (x, y[:3]), r"3 examples in all|expected activations \[3, ...\] for layer 'first'"),
        (lambda x, y: (x, y.astype(str)), r"labels of one kind, got text in batch 1, integers before"),
        (lambda x, y: (x, -y), r"labels >= 0"),
    ],
)
def test_refuses_a_batch_and_goes_on(data, change, message):
    layers, labels = data
    accumulator = added(data, np.arange(12), 12)
    rest = {name: x[12:] for name, x in layers.items()}
    changed = change(rest, labels[12:])
    with pytest.raises(ValueError, match=message):
        accumulator.add(*changed)
    accumulator.add(rest, labels[12:])


def test_refuses_what_makes_no_sense(data, tmp_path):
    layers, labels = data
    with pytest.raises(ValueError, match="index 3 again"):
        added(data, np.array([1, 3, 5, 3]), 2)
    with pytest.raises(ValueError, match=r"got none; accumulator\.add"):
        GeometryAccumulator().result()
    with pytest.raises(ValueError, match="at least 2 classes, got \\[5\\]"):
        added(data, np.flatnonzero(labels == 5), 7).result()
    with pytest.raises(ValueError, match="an existing folder"):
        added(data, np.arange(3), 3, folder=tmp_path / "none")
    with pytest.raises(TypeError, match="num_drawz"):
        GeometryAccumulator(num_drawz=3)
    with pytest.raises(ValueError, match="NaN or infinite values in row 0 of batch 0"):
        added(({"a": layers["first"] * np.nan}, labels), np.arange(3), 3, nan="raise")
    with pytest.raises(TypeError, match="cannot be copied or pickled"):
        pickle.dumps(added(data, np.arange(6), 6))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"examples_per_class": 2.5}, "expected examples_per_class to be a whole number, got 2.5"),
        ({"examples_per_class": "5"}, "expected examples_per_class to be a whole number, got '5'"),
        ({"examples_per_class": None}, "expected examples_per_class to be a whole number, got None"),
        ({"examples_per_class": 0}, "expected examples_per_class >= 1, got 0"),
        ({"max_classes": 2.5}, "expected max_classes to be a whole number, got 2.5"),
        ({"unequal": "cut"}, "expected unequal to be one of mask, subsample, got 'cut'"),
        ({"seed": 2**40}, "expected seed of 32 bits"),
    ],
)
def test_wrong_options_are_refused_before_the_first_batch(options, message):
    # Callers' arguments are not checked by annotations, as those of tests are.
    begin = getattr(GeometryAccumulator.__init__, "__wrapped__", GeometryAccumulator.__init__)
    with pytest.raises(ValueError, match=message):
        begin(object.__new__(GeometryAccumulator), **options)


def test_labels_of_others_may_be_missing_in_any_batch(data):
    """A batch without NaN beside one with it, of the same floats."""
    layers, labels = data
    some = np.where((labels == 9) & (np.arange(21) < 14), np.nan, labels)
    accumulator = GeometryAccumulator(examples_per_class=M, progress=False, **SMALL)
    for start in range(0, 21, 7):
        own = slice(start, start + 7)
        accumulator.add({name: x[own] for name, x in layers.items()}, some[own], mask=~np.isnan(some[own]))
    counts = {label: int(np.sum(some == label)) for label in (2, 5, 9)}
    assert {label: len(rows) for label, rows in accumulator.result().indices.items()} == {
        label: min(count, M) for label, count in counts.items()
    }


@pytest.mark.filterwarnings("ignore:layer")
def test_one_example_of_many_is_a_point(data):
    with pytest.warns(UserWarning, match="every class is measured on a single example: there are no manifolds"):
        added(data, np.arange(21), 7, examples_per_class=1).result()


def test_is_over_after_the_result_and_leaves_nothing(data, tmp_path):
    accumulator = added(data, np.arange(21), 7, folder=tmp_path)
    assert os.listdir(tmp_path) == []
    assert accumulator.result() is accumulator.result()
    with pytest.raises(ValueError, match="no more batches after result"):
        accumulator.add(data[0], data[1])


def test_a_full_disk_is_one_line(data, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(OSError, match=r"is full: \d+ bytes more are needed, 0 bytes are free; folder= takes") as caught:
        added(data, np.arange(6), 6, folder=tmp_path)
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the device that is always full")
def test_a_disk_that_fills_while_it_is_written_to_is_one_line(tmp_path):
    spilled = SpilledRows(tmp_path, {"a": 2}, {"a": np.dtype("f4")})
    with open("/dev/full", "wb", buffering=0) as full:
        spilled._files["a"] = full
        with pytest.raises(OSError, match="layer 'a' could not be written"):
            spilled.write("a", np.array([0]), np.ones((1, 2), np.float32))
    spilled.close()


def test_any_order_of_slots(tmp_path):
    spilled = SpilledRows(None, {"a": 3}, {"a": np.dtype(jnp.bfloat16)})
    rows = np.arange(18).reshape(6, 3)
    spilled.write("a", np.array([4, 0, 1]), rows[[4, 0, 1]])
    spilled.write("a", np.array([5, 3, 2]), rows[[5, 3, 2]])
    np.testing.assert_array_equal(spilled.read("a", 1, 4).astype(int), rows[1:5])
    spilled.close()


# Tokens of 21 examples, with padding behind, in front, and nowhere.
REAL = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]] * 7)


def tokens_of(labels):
    """Tokens [21, 4, 6] whose padding is far from all else."""
    values = np.random.default_rng(1).normal(size=(21, 4, 6)).astype(np.float32) + labels[:, None, None] % 4
    return np.where(REAL[..., None] == 1, values, 1e4).astype(np.float32)


def add_tokens(accumulator, labels, tokens, mask=None):
    values = tokens_of(labels)
    for start in range(0, 21, 7):
        own = slice(start, start + 7)
        accumulator.add(values[own], labels[own], tokens=tokens[own], mask=None if mask is None else mask[own])
    return accumulator


@pytest.mark.parametrize("pool", ["mean", "cls", "last"])
@pytest.mark.parametrize("kind", [np.int64, np.int8, np.float32, bool])
def test_padding_is_left_out_as_analyze_leaves_it_out(data, pool, kind):
    """Whatever kind of numbers an attention mask has, the rows are those of `analyze`."""
    labels = data[1]
    few = {"examples_per_class": 7, "pool": pool, **SMALL, "joint_draws": 0}
    result = add_tokens(GeometryAccumulator(progress=False, **few), labels, REAL.astype(kind)).result()
    whole = analyze(tokens_of(labels), labels, tokens=REAL.astype(kind), **few)
    np.testing.assert_allclose(result.geometry.capacity, whole.geometry.capacity, rtol=1e-6)


def test_tokens_that_are_no_mask_are_refused(data):
    """Token numbers and examples of padding alone would be pooled by the wrong token."""
    make = lambda: GeometryAccumulator(pool="last", progress=False, **SMALL)
    labels = data[1]
    with pytest.raises(ValueError, match=r"tokens \[7, tokens\] of truth values, got int64 \(7, 4\)"):
        add_tokens(make(), labels, REAL * np.arange(5, 26)[:, None])
    with pytest.raises(ValueError, match="expected a token of every example, got none in row 2"):
        add_tokens(make(), labels, np.where(np.arange(21)[:, None] == 9, 0, REAL))


@pytest.mark.filterwarnings("error:Mean of empty slice")
@pytest.mark.parametrize("pool", ["mean", "cls", "last"])
def test_an_example_that_takes_no_part_may_be_padding_alone(data, pool):
    """Rows outside of the mask change nothing, here and in `analyze`."""
    labels = data[1]
    mask = np.arange(21) % 7 != 2
    padded = np.where(mask[:, None], REAL, 0)
    few = {"pool": pool, **SMALL, "joint_draws": 0}
    result = add_tokens(GeometryAccumulator(progress=False, **few), labels, padded, mask).result()
    whole = analyze(tokens_of(labels), labels, tokens=padded, mask=mask, **few)
    kept = analyze(tokens_of(labels)[mask], labels[mask], tokens=REAL[mask], **few)
    for other in (whole, kept):
        np.testing.assert_allclose(result.geometry.capacity, other.geometry.capacity, rtol=1e-6)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()], ids=["full", "interrupted"])
@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_batch_that_was_not_written_is_no_batch(data, monkeypatch, error, at):
    """After the first layer, or between two, rows would be counted that the files do not have."""
    calls, write = [], SpilledRows.write

    def failing(self, *given):
        calls.append(given)
        if len(calls) == at:
            raise error
        write(self, *given)

    layers, labels = data
    accumulator = GeometryAccumulator(progress=False, **SMALL)
    monkeypatch.setattr(SpilledRows, "write", failing)
    add = lambda start: accumulator.add(
        {name: x[start : start + 7] for name, x in layers.items()}, labels[start : start + 7]
    )
    before = 7 * ((at - 1) // len(layers))
    for start in range(0, before, 7):
        add(start)
    with pytest.raises(type(error)):
        add(before)
    message = "a batch could not be written; begin a new accumulator"
    with pytest.raises(ValueError, match=message):
        accumulator.add(layers, labels)
    with pytest.raises(ValueError, match=message):
        accumulator.result()
    # The disk is given back.
    assert accumulator._spilled is not None
    assert not accumulator._spilled.close.alive


def test_a_first_batch_that_is_refused_says_nothing_of_the_next(data, monkeypatch):
    """Its widths are forgotten, and room that was made is used: nothing was counted or written yet."""
    layers, labels = data
    accumulator = GeometryAccumulator(progress=False, examples_per_class=7, **SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
        with pytest.raises(OSError, match="is full"):
            accumulator.add({"first": layers["first"][:, :1], "second": layers["second"]}, labels)
    with pytest.raises(ValueError, match="index 3 again"):
        accumulator.add({"first": layers["first"][:, :1]}, labels, indices=np.minimum(np.arange(21), 3))
    accumulator.add(layers, labels)
    whole = analyze(layers, labels, examples_per_class=7, **SMALL)
    np.testing.assert_allclose(accumulator.result().geometry.capacity, whole.geometry.capacity, rtol=1e-6)
