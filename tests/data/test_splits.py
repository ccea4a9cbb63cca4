"""Data sets of a reader's own: what does not fit is one ValueError with advice, before anything is written."""

import re
import sys
import types

import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import data
from memorize_jax.data import Split, Splits
from tests import commands

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(4), 6)
PIXELS = RNG.integers(0, 256, (24, 8, 8, 1)).astype(np.uint8)
NUMBERS = RNG.normal(size=(24, 20)).astype(np.float32)
GOOD = Split(PIXELS, LABELS, 4, "mine")
TEXT = np.array(list("abcd"))[LABELS]


class Tensor:
    """Fails to become an array like one of PyTorch that is on an accelerator."""

    def __array__(self, *_, **__):
        raise TypeError("can't convert cuda:0\ndevice type tensor to numpy")


@pytest.fixture
def load(monkeypatch):
    def load(function):
        module = types.ModuleType("theirs")
        module.load = function
        monkeypatch.setitem(sys.modules, "theirs", module)
        return data.load("theirs:load")

    return load


def with_one(images, value):
    changed = images.copy()
    changed[3, 4] = changed[7, :2] = value
    return changed


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"images": NUMBERS},
        {"labels": LABELS.tolist()},
        {"images": jnp.asarray(PIXELS), "labels": jnp.asarray(LABELS)},
        {"labels": LABELS.astype(">i8")},
        {"labels": LABELS.astype(np.uint64), "num_classes": np.int64(4)},
        {"images": PIXELS.repeat(3, axis=-1)},
        {"images": np.zeros((24, 3, 3, 3), np.uint8)},
    ],
)
def test_what_fits_is_taken(load, changed):
    split = GOOD._replace(**changed)
    train, test = load(lambda data_dir: Splits(split, split))
    np.testing.assert_array_equal(train.images, split.images)
    np.testing.assert_array_equal(test.labels, LABELS)
    assert train.labels.dtype == np.int32


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        # Labels.
        ({"labels": TEXT}, "got <U1; number them: np.unique"),
        ({"labels": TEXT.astype(object)}, "got object; number them"),
        ({"labels": TEXT.astype(bytes)}, "got |S1; number them"),
        ({"labels": LABELS.astype("M8[D]")}, "got datetime64[D]; number them"),
        ({"labels": LABELS * 1j}, "got complex128; number them"),
        ({"labels": LABELS / 1}, "got float64; if they are whole numbers, labels.astype(int)"),
        ({"labels": LABELS > 1}, "got bool; if they are whole numbers, labels.astype(int)"),
        ({"labels": LABELS - 1}, "got int64 from -1 to 2; leave out examples without a label"),
        ({"labels": LABELS + 1}, "got int64 from 1 to 4; classes count from 0: subtract 1"),
        ({"labels": LABELS * 2}, "got int64 from 0 to 6; up to 6 there are 7 classes"),
        ({"labels": LABELS + 2**40}, "got int64 from 1099511627776 to"),
        ({"labels": np.eye(4)[LABELS]}, "labels.argmax(axis=1) of one-hot labels"),
        ({"labels": LABELS[:, None]}, "labels[:, 0]"),
        ({"labels": LABELS[1:]}, "uint8 [24, 8, 8, 1] and int64 [23]"),
        ({"labels": np.ma.masked_equal(LABELS, 2)}, "expected NumPy arrays"),
        ({"num_classes": 1}, "expected num_classes to be a whole number >= 2, got 1"),
        ({"num_classes": 4.0}, "expected num_classes to be a whole number >= 2, got 4.0"),
        ({"num_classes": None}, "expected num_classes to be a whole number >= 2, got None"),
        # Images.
        ({"images": PIXELS[..., 0]}, "gray images need their one channel: images[..., None]"),
        ({"images": NUMBERS.astype(float)}, "got float64 [24, 20] and int64 [24]; give images.astype(np.float32)"),
        ({"images": NUMBERS.astype(np.float16)}, "give images.astype(np.float32)"),
        ({"images": PIXELS.astype(int)}, "or for images of 0 to 255 np.uint8 [n, height, width, channels]"),
        ({"images": PIXELS.reshape(24, -1)}, "np.uint8 [n, height, width, channels]"),
        ({"images": PIXELS[:, :0, :0]}, "got uint8 [24, 0, 0, 1] and int64 [24]; there is nothing in it"),
        ({"images": PIXELS[:0], "labels": LABELS[:0]}, "there is nothing in it"),
        ({"images": [np.zeros((2, 2)), np.zeros((3, 3))]}, "expected NumPy arrays in"),
        ({"images": Tensor()}, "(can't convert cuda:0 device type tensor to numpy); tensors become them by x.detach()"),
        ({"images": None}, "got object []"),
        ({"images": with_one(NUMBERS, np.nan)}, "got 3 NaN or infinite in 2 examples, the first is example 3"),
        ({"images": with_one(NUMBERS, -np.inf)}, "got 3 NaN or infinite in 2 examples, the first is example 3"),
        ({"images": np.ma.masked_greater(NUMBERS, 1)}, "NaN or infinite"),
    ],
)
def test_a_part_that_does_not_fit_is_named_with_advice(load, part, changed, words):
    splits = Splits(GOOD, GOOD)._replace(**{part: GOOD._replace(**changed)})
    with pytest.raises(ValueError, match=r"^dataset theirs:load: expected ") as error:
        load(lambda data_dir: splits)
    assert words in str(error.value)
    assert "num_classes" in changed or part in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        ({}, {"images": PIXELS[:, :4]}, "train and test alike, got examples (8, 8, 1) and (4, 8, 1)"),
        ({}, {"images": PIXELS.astype(np.float32)}, "uint8 and float32"),
        ({}, {"num_classes": 5}, "4 and 5 classes"),
        ({"labels": LABELS + 1}, {}, "each of 5 classes, got none of class 0; number the others from 0"),
        ({"labels": LABELS * 2}, {}, "each of 7 classes, got none of class 1, 3, 5; number the others from 0"),
        ({"num_classes": 10**12}, {"num_classes": 10**12}, "got none of class 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, ...;"),
    ],
)
def test_train_and_test_are_alike_and_every_class_is_in_train(load, train, test, words):
    if "labels" in train:
        train = test = train | {"num_classes": int(train["labels"].max()) + 1}
    with pytest.raises(ValueError, match=f"^dataset theirs:load: expected .*{re.escape(words)}"):
        load(lambda data_dir: Splits(GOOD._replace(**train), GOOD._replace(**test)))


@pytest.mark.parametrize("shape", [(24, 3, 32, 32), (24, 1, 28, 20)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images_with_channels_first_are_doubted(load, shape, dtype):
    split = GOOD._replace(images=np.zeros(shape, dtype))
    with pytest.warns(UserWarning, match=r"look like channels first; .* images.transpose\(0, 2, 3, 1\)"):
        load(lambda data_dir: Splits(split, split))


def fails(error):
    def function(data_dir):
        raise error

    return function


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda data_dir: (GOOD, GOOD), "got tuple of Split, Split; return Splits(Split(images, labels"),
        (lambda data_dir: (split for split in (GOOD, GOOD)), "got generator; return Splits"),
        (lambda data_dir: Splits((PIXELS, LABELS), (PIXELS, LABELS)), "got Splits of tuple, tuple"),
        (lambda data_dir: None, "got NoneType"),
        (lambda data_dir: {"train": GOOD, "test": GOOD}, "got dict"),
        (lambda: Splits(GOOD, GOOD), "got an unexpected keyword argument 'data_dir'"),
        (Splits(GOOD, GOOD), "'Splits' object is not callable"),
        (fails(KeyError("label")), "failed when called with data_dir=None (KeyError: 'label')"),
        (fails(FileNotFoundError("no\nx.npy")), "(FileNotFoundError: no x.npy)"),
        (fails(SystemExit(3)), "(SystemExit: 3)"),
    ],
)
def test_a_function_that_is_no_loader_is_one_line(load, function, words):
    with pytest.raises(ValueError, match=r"^dataset theirs:load") as error:
        load(function)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("num", [10, 333])
def test_a_subset_has_the_same_share_of_every_class_every_time(num):
    whole, first, again = (data.load("digits", num_train=number) for number in (None, num, num))
    np.testing.assert_array_equal(first.train.images, again.train.images)
    np.testing.assert_array_equal(first.test.labels, whole.test.labels)
    counts, of_all = (np.bincount(split.train.labels, minlength=10) for split in (first, whole))
    assert np.all(np.abs(counts - of_all * num / of_all.sum()) < 1)
    for wrong in (0, 1443):
        with pytest.raises(ValueError, match=f"expected num_train between 1 and 1442, got {wrong}"):
            data.load("digits", num_train=wrong)


def test_importing_needs_no_package_that_only_some_data_sets_need():
    heavy = "sklearn", "pandas", "rdata", "tensorflow", "tensorflow_datasets", "PIL", "matplotlib"
    done = commands.python("-c", f"import memorize_jax.data, sys; print([n for n in {heavy} if n in sys.modules])")
    assert done.stdout == "[]\n", done.stderr
