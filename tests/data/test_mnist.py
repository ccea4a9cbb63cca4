"""MNIST and Fashion-MNIST as people have them: names, folders and damage of idx files."""

import gzip
import pathlib
import struct

import numpy as np
import pytest

from memorize_jax import data, memory
from memorize_jax.data import mnist
from memorize_jax.data.mnist import DEBIAN_FOLDER, FIRST_LABELS, read_idx
from tests.data.archives import POINTER_FILE, refused

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)
LABELS = np.array([9, 0, 4, 4, 1], np.uint8)
STEMS = {
    "train-images-idx3-ubyte": IMAGES,
    "train-labels-idx1-ubyte": LABELS,
    "t10k-images-idx3-ubyte": IMAGES[:3],
    "t10k-labels-idx1-ubyte": LABELS[:3],
}
needs_debian = pytest.mark.skipif(
    not pathlib.Path(DEBIAN_FOLDER).is_dir(), reason=f"no {DEBIAN_FOLDER}: apt-get install dataset-fashion-mnist"
)


def idx(array):
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def zeros(*shape):
    return idx(np.zeros(shape, np.uint8))


def write_idx(folder, *, dotted=False, compressed=False, **replaced):
    """Four idx files; `replaced` has the content of some by the beginning of their names, None for no file."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, array in STEMS.items():
        content = replaced.get("_".join(stem.split("-")[:2]), idx(array))
        name = (stem.replace("-idx", ".idx") if dotted else stem) + ".gz" * compressed
        if content is not None:
            (folder / name).write_bytes(gzip.compress(content) if compressed else content)
    return folder


@pytest.mark.parametrize("name", mnist.WANTED)
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dotted", [True, False])
def test_idx_files_are_read_compressed_or_not_and_may_have_a_dot_in_their_names(tmp_path, name, compressed, dotted):
    splits = data.load(name, data_dir=str(write_idx(tmp_path, dotted=dotted, compressed=compressed)))
    for split, num in zip(splits, (5, 3), strict=True):
        np.testing.assert_array_equal(split.images, IMAGES[:num, ..., None])
        np.testing.assert_array_equal(split.labels, LABELS[:num])
        assert (split.images.dtype, split.labels.dtype) == (np.uint8, np.int32)
        assert (split.num_classes, split.name) == (10, name)


@pytest.mark.parametrize("packed", [True, False])
def test_the_content_tells_whether_a_file_is_compressed(tmp_path, packed):
    write_idx(tmp_path, train_images=gzip.compress(idx(IMAGES)) if packed else None)
    if not packed:
        (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(idx(IMAGES))
    np.testing.assert_array_equal(data.load("mnist", data_dir=str(tmp_path)).train.images, IMAGES[..., None])


@pytest.mark.parametrize(
    ("name", "place", "given"),
    [
        ("mnist", "MNIST/raw", ("", "MNIST", "MNIST/raw", "MNIST/raw/train-images-idx3-ubyte")),
        ("mnist", "mnist", ("", "mnist")),
        ("fashion_mnist", "FashionMNIST/raw", ("", "FashionMNIST", "FashionMNIST/raw")),
        ("fashion_mnist", "fashion-mnist", ("", "fashion-mnist")),
        ("fashion_mnist", "downloads/manual", ("",)),
    ],
)
def test_idx_files_are_found_where_other_libraries_put_them(tmp_path, name, place, given):
    write_idx(tmp_path / place)
    # Each set is found in its own folder.
    (other,) = set(mnist.WANTED) - {name}
    write_idx(tmp_path / mnist.WANTED[other].below[0], train_labels=idx(LABELS[::-1]))
    for data_dir in given:
        np.testing.assert_array_equal(data.load(name, data_dir=str(tmp_path / data_dir)).train.labels, LABELS)


@pytest.mark.parametrize("name", mnist.WANTED)
def test_a_set_under_the_name_of_the_other_is_refused(tmp_path, name):
    (other,) = set(mnist.WANTED) - {name}
    labels = np.array(FIRST_LABELS[other], np.uint8)
    write_idx(tmp_path, train_labels=idx(labels), train_images=zeros(10, 28, 28))
    refused(name, tmp_path, f"expected {name}, got {other}", tmp_path)
    assert len(data.load(other, data_dir=str(tmp_path)).train.labels) == 10


@needs_debian
def test_the_real_set_has_6000_training_images_of_each_class():
    train, test = data.load("fashion_mnist")
    assert train.labels[:10].tolist() == FIRST_LABELS["fashion_mnist"]
    for split, num in ((train, 6000), (test, 1000)):
        assert split.images.shape == (10 * num, 28, 28, 1)
        np.testing.assert_array_equal(np.bincount(split.labels), np.full(10, num))


@pytest.mark.parametrize("name", mnist.WANTED)
@pytest.mark.parametrize("held", ["mnist.npz", "fashion-mnist_train.csv"])
def test_other_versions_are_named_with_what_to_take(tmp_path, name, held):
    (tmp_path / held).touch()
    refused(name, tmp_path, f"it holds {held}", "four idx files", "no npz, no table", kind=FileNotFoundError)


def test_a_missing_file_says_which_are_there_and_how_to_get_it(tmp_path):
    words = ("apt-get install dataset-fashion-mnist", tmp_path, "train-images-idx3-ubyte")
    refused("fashion_mnist", tmp_path, *words, kind=FileNotFoundError)
    write_idx(tmp_path, t10k_labels=None)
    words = (f"no t10k-labels-idx1-ubyte[.gz] in {tmp_path}", "holds t10k-images-idx3-ubyte, train-images-idx3-ubyte")
    refused("mnist", tmp_path, *words, kind=FileNotFoundError)


GOOD_GZIP = gzip.compress(idx(IMAGES // 64))


def flipped(position):
    return GOOD_GZIP[:position] + bytes([GOOD_GZIP[position] ^ 0xFF]) + GOOD_GZIP[position + 1 :]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        *[(idx(IMAGES)[:kept], "expected") for kept in (0, 2, 4, 9, 16, -1)],
        (idx(IMAGES) + b"\0", "expected 3920 bytes after the header, got 3921"),
        *[
            (header + idx(LABELS)[4:], "expected an idx file of unsigned bytes, got header")
            for header in (b"\x89PNG", b"\0\0\x0d\x01", b"\x01\0\x08\x01", b"\0\0\x08\xff")
        ],
        (GOOD_GZIP[: len(GOOD_GZIP) // 2], "damaged gzip file"),
        (flipped(10), "damaged gzip file"),
        (flipped(len(GOOD_GZIP) // 2), "damaged gzip file"),
        (flipped(len(GOOD_GZIP) - 8), "damaged gzip file"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, content, words):
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path}: .*{words}"):
        read_idx(path)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "fashion_mnist_14", "fashion_mnist_32"])
@pytest.mark.parametrize(
    ("replaced", "words"),
    [
        ({"t10k_images": zeros(0, 28, 28), "t10k_labels": zeros(0)}, "[0, 28, 28] and labels [0] of test do not"),
        ({"train_images": zeros(0, 28, 28), "train_labels": zeros(0)}, "[0, 28, 28] and labels [0] of train do not"),
        ({"train_images": zeros(5, 0, 0)}, "images [5, 0, 0]"),
        ({"train_labels": zeros(4)}, "labels [4] of train do not belong together"),
        ({"train_labels": idx(IMAGES)}, "labels [5, 28, 28] of train do not belong together"),
        ({"t10k_images": zeros(3, 14, 14)}, "images [3, 14, 14] and labels [3] of test do not belong together"),
        ({"t10k_labels": idx(np.array([1, 2, 10], np.uint8))}, "labels of test, got uint8 from 1 to 10; classes"),
        ({"t10k_labels": idx(np.array([1, 2, 26], np.uint8))}, "got uint8 from 1 to 26; up to 26 there are 27 classes"),
        ({"t10k_images": POINTER_FILE}, "got a pointer to it; fetch it with git lfs pull"),
    ],
)
def test_files_that_are_not_of_the_set_are_refused(tmp_path, name, replaced, words):
    refused(name, write_idx(tmp_path, **replaced), tmp_path, words)


def test_a_small_file_that_unpacks_to_a_large_one_is_refused_by_its_header(tmp_path, monkeypatch):
    # Only the beginning is there: whoever reads on finds a damaged file.
    header = b"\0\0\x08\x03" + struct.pack(">3I", 7_700_000, 28, 28)
    write_idx(tmp_path, compressed=True, train_images=header, train_labels=b"\0\0\x08\x01" + header[4:8])
    monkeypatch.setattr(memory, "available_bytes", lambda: 10**9)
    refused("mnist", tmp_path, "train-images-idx3-ubyte.gz", "would take 6.04 GB of memory, 1 GB are available")
    write_idx(tmp_path, compressed=True, train_images=header)
    refused("mnist", tmp_path, "images [7700000, 28, 28] and labels [5] of train do not belong together")


def test_fashion_mnist_at_half_the_height_and_width_and_in_the_shape_of_cifar(tmp_path):
    folder = str(write_idx(tmp_path))
    for split, small, large in zip(
        *(data.load(f"fashion_mnist{end}", data_dir=folder) for end in ("", "_14", "_32")), strict=True
    ):
        pixels = split.images.astype(float)
        means = (pixels[:, ::2, ::2] + pixels[:, 1::2, ::2] + pixels[:, ::2, 1::2] + pixels[:, 1::2, 1::2]) / 4
        assert small.images.shape == means.shape
        np.testing.assert_allclose(small.images, means, atol=0.5)
        assert large.images.shape == (len(split.labels), 32, 32, 3)
        for channel in range(3):
            np.testing.assert_array_equal(large.images[:, 2:-2, 2:-2, channel], split.images[..., 0])
        assert large.images.sum() == 3 * split.images.sum(dtype=int)
        for end, made in (("_14", small), ("_32", large)):
            assert (made.images.dtype, made.name) == (np.uint8, f"fashion_mnist{end}")
            np.testing.assert_array_equal(made.labels, split.labels)
