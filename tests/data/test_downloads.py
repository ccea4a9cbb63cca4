"""Data as people have them: names, folders and versions that are read, and what is said of those that are not."""

import gzip
import pathlib
import struct

import numpy as np
import pytest

from memorize_jax import data, memory
from memorize_jax.config import RunConfig
from memorize_jax.data import fashion_mnist, tiny_imagenet
from memorize_jax.data.downloads import POINTER, Wanted, find, missing
from memorize_jax.runs.prepare import prepare
from tests.data import test_cifar, test_tiny_imagenet
from tests.data.test_cifar import archive  # noqa: F401 (a fixture)
from tests.data.test_sources import IMAGES, LABELS, STEMS, idx

POINTER_FILE = POINTER + b".github.com/spec/v1\noid sha256:00\nsize 5\n"


def write_idx(folder, *, dotted=False, compressed=False, **replaced):
    """Four idx files; `replaced` has the content of some by the beginning of their names, None for no file."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, array in STEMS.items():
        content = replaced.get("_".join(stem.split("-")[:2]), idx(array))
        name = (stem.replace("-idx", ".idx") if dotted else stem) + ".gz" * compressed
        if content is not None:
            (folder / name).write_bytes(gzip.compress(content) if compressed else content)
    return folder


def refused(name, data_dir, *words, kind=ValueError):
    with pytest.raises(kind) as error:
        data.load(name, data_dir=str(data_dir))
    for word in words:
        assert word in str(error.value)
    assert "\n" not in str(error.value)


# --- the search


def test_what_is_missing_says_what_was_looked_for_where_and_what_is_there(tmp_path):
    wanted = Wanted(("best.zip", "good"), "take best.zip", "best", ("above",))
    text = "take best.zip (looked for best.zip, good in {0} and, in it, above, downloads/manual; it {1})"
    assert missing(wanted, tmp_path / "x") == text.format(tmp_path / "x", "does not exist")
    assert missing(wanted, tmp_path) == text.format(tmp_path, "holds nothing")
    for name in ("a file", "worse-best.tar", *"bcdefghij"):
        (tmp_path / name).touch()
    held = "holds worse-best.tar, a file, b, c, d, e, f, g, and 3 more"
    assert missing(wanted, tmp_path) == text.format(tmp_path, held)
    assert missing(wanted, tmp_path / "a file") == text.format(tmp_path / "a file", "is a file")


def test_the_best_name_comes_first_wherever_it_lies(tmp_path):
    wanted = Wanted(("best.zip", "good"), "", "", ("above",))
    assert find(wanted, tmp_path) is None
    for path in ("good", "downloads/manual/best.zip", "best.zip", "above/best.zip"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
        assert find(wanted, tmp_path) == find(wanted, tmp_path / "good") == tmp_path / path


# --- idx files


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dotted", [True, False])
def test_idx_files_may_have_a_dot_in_their_names(tmp_path, name, compressed, dotted):
    splits = data.load(name, data_dir=write_idx(tmp_path, dotted=dotted, compressed=compressed))
    np.testing.assert_array_equal(splits.train.images, IMAGES[..., None])
    np.testing.assert_array_equal(splits.test.labels, LABELS[:3])


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
def test_idx_files_lie_where_other_libraries_put_them(tmp_path, name, place, given):
    write_idx(tmp_path / place)
    for data_dir in given:
        assert len(data.load(name, data_dir=str(tmp_path / data_dir)).train.labels) == len(LABELS)


def test_each_set_is_found_in_its_own_folder(tmp_path):
    write_idx(tmp_path / "MNIST" / "raw")
    write_idx(tmp_path / "FashionMNIST" / "raw", train_labels=idx(LABELS[::-1]))
    for name, labels in (("mnist", LABELS), ("fashion_mnist", LABELS[::-1])):
        np.testing.assert_array_equal(data.load(name, data_dir=str(tmp_path)).train.labels, labels)


def test_a_gzip_file_that_lost_its_ending_is_read(tmp_path):
    write_idx(tmp_path, train_images=gzip.compress(idx(IMAGES)))
    np.testing.assert_array_equal(data.load("mnist", data_dir=str(tmp_path)).train.images, IMAGES[..., None])


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_a_set_under_the_name_of_the_other_is_refused(tmp_path, name):
    (other,) = {"mnist", "fashion_mnist"} - {name}
    labels = np.array(fashion_mnist.FIRST_LABELS[other], np.uint8)
    write_idx(tmp_path, train_labels=idx(labels), train_images=idx(np.zeros((10, 28, 28), np.uint8)))
    refused(name, tmp_path, f"expected {name}, got {other}", str(tmp_path))
    assert len(data.load(other, data_dir=str(tmp_path)).train.labels) == 10


@pytest.mark.skipif(not pathlib.Path(fashion_mnist.DEBIAN_FOLDER).is_dir(), reason="needs dataset-fashion-mnist")
def test_the_first_labels_are_those_of_the_real_set():
    labels = fashion_mnist.read_idx(pathlib.Path(fashion_mnist.DEBIAN_FOLDER, "train-labels-idx1-ubyte.gz"))
    assert labels[:10].tolist() == fashion_mnist.FIRST_LABELS["fashion_mnist"]


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
@pytest.mark.parametrize("held", ["mnist.npz", "fashion-mnist_train.csv"])
def test_other_versions_of_mnist_are_named_with_what_to_take(tmp_path, name, held):
    (tmp_path / held).touch()
    refused(name, tmp_path, f"it holds {held}", "four idx files", "no npz, no table", kind=FileNotFoundError)


def test_a_missing_idx_file_says_which_are_there(tmp_path):
    write_idx(tmp_path, t10k_labels=None)
    words = (f"no t10k-labels-idx1-ubyte[.gz] in {tmp_path}", "holds t10k-images-idx3-ubyte, train-images-idx3-ubyte")
    refused("mnist", tmp_path, *words, kind=FileNotFoundError)


def zeros(*shape):
    return idx(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "fashion_mnist_14", "fashion_mnist_32"])
@pytest.mark.parametrize(
    ("replaced", "words"),
    [
        (
            {"t10k_images": zeros(0, 28, 28), "t10k_labels": zeros(0)},
            "images [0, 28, 28] and labels [0] of test do not",
        ),
        ({"train_images": zeros(0, 28, 28), "train_labels": zeros(0)}, "images [0, 28, 28] and labels [0] of train"),
        ({"train_images": zeros(5, 0, 0)}, "images [5, 0, 0]"),
        ({"t10k_images": zeros(3, 14, 14)}, "images [3, 14, 14] and labels [3] of test do not belong together"),
        ({"t10k_labels": zeros(4)}, "images [3, 28, 28] and labels [4] of test do not belong together"),
        (
            {"t10k_labels": idx(np.array([1, 2, 10], np.uint8))},
            "0 to 9 as labels of test, got uint8 from 1 to 10; classes",
        ),
        ({"t10k_labels": idx(np.array([1, 2, 26], np.uint8))}, "got uint8 from 1 to 26; up to 26 there are 27 classes"),
        ({"t10k_images": POINTER_FILE}, "got a pointer to it; fetch it with git lfs pull"),
        ({"t10k_images": b"\0\0\x08\xff" + bytes(1100)}, "expected an idx file of unsigned bytes"),
    ],
)
def test_idx_files_that_are_not_of_the_set_are_refused(tmp_path, name, replaced, words):
    refused(name, write_idx(tmp_path, **replaced), str(tmp_path), words)


def test_a_small_file_that_unpacks_to_a_large_one_is_refused_by_its_header(tmp_path, monkeypatch):
    # Only the beginning is there: whoever reads on finds a damaged file.
    header = b"\0\0\x08\x03" + struct.pack(">3I", 7_700_000, 28, 28)
    write_idx(tmp_path, compressed=True, train_images=header, train_labels=b"\0\0\x08\x01" + header[4:8])
    monkeypatch.setattr(memory, "available_bytes", lambda: 10**9)
    refused("mnist", tmp_path, "train-images-idx3-ubyte.gz", "would take 6.04 GB of memory, 1 GB are available")
    write_idx(tmp_path, compressed=True, train_images=header)
    refused("mnist", tmp_path, "images [7700000, 28, 28] and labels [5] of train do not belong together")


def test_nothing_is_written_for_data_that_are_refused(tmp_path):
    folder = write_idx(tmp_path / "data", t10k_images=zeros(0, 28, 28), t10k_labels=zeros(0))
    with pytest.raises(ValueError, match="do not belong together"):
        prepare(tmp_path / "run", RunConfig(dataset="mnist", data_dir=str(folder)))
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


# --- CIFAR


def test_cifar_is_found_from_its_folder_or_archive_or_above(archive, tmp_path):  # noqa: F811
    test_cifar.unpack(tmp_path / "unpacked", test_cifar.contents(archive))
    test_cifar.write(tmp_path / "packed" / archive.file, test_cifar.contents(archive))
    expected = data.load(archive.name, data_dir=str(tmp_path / "packed"))
    inside = archive.test.partition("/")[0]
    (tmp_path / "renamed").symlink_to(tmp_path / "unpacked" / inside)
    for given in (
        "unpacked",
        f"unpacked/{inside}",
        f"unpacked/{archive.test}",
        "renamed",
        f"packed/{archive.file}",
    ):
        found = data.load(archive.name, data_dir=str(tmp_path / given))
        np.testing.assert_array_equal(found.train.images, expected.train.images)


@pytest.mark.parametrize("ending", [".tar.gz", ".tar"])
@pytest.mark.parametrize("compressed", [True, False])
def test_cifar_packed_again_is_read_whatever_its_ending(archive, ending, compressed, tmp_path):  # noqa: F811
    made = test_cifar.contents(archive)
    path = test_cifar.write(tmp_path / archive.file, {f"./{name}": content for name, content in made.items()})
    content = path.read_bytes() if compressed else gzip.decompress(path.read_bytes())
    path.unlink()
    (tmp_path / archive.file.replace(".tar.gz", ending)).write_bytes(content)
    assert len(data.load(archive.name, data_dir=str(tmp_path)).test.labels) == archive.records_per_member[1]


def test_another_version_under_the_name_of_the_archive_shows_what_it_holds(archive, tmp_path):  # noqa: F811
    test_cifar.write(tmp_path / archive.file, {"cifar-10-batches-py/data_batch_1": b"\x80\x04."})
    refused(archive.name, tmp_path, "got none named", "it holds cifar-10-batches-py/data_batch_1, readme.html")


@pytest.mark.parametrize("version", ["python.tar.gz", "matlab.tar.gz", "batches-py"])
def test_the_python_version_of_cifar_is_named_and_not_read(archive, version, tmp_path):  # noqa: F811
    held = archive.file.replace("binary.tar.gz", version)
    (tmp_path / held).mkdir()
    # Would fail if it was unpickled.
    (tmp_path / held / "data_batch_1").write_bytes(b"\x80\x04")
    words = ("binary version (not the python or Matlab version)", archive.file)
    refused(archive.name, tmp_path, f"it holds {held}", *words, kind=FileNotFoundError)
    refused(
        archive.name, tmp_path / held, f"{held} and, in it", "it holds data_batch_1", *words, kind=FileNotFoundError
    )


def test_pointers_in_place_of_cifar_are_refused(archive, tmp_path):  # noqa: F811
    test_cifar.unpack(tmp_path, test_cifar.contents(archive) | {archive.test: POINTER_FILE})
    refused(archive.name, tmp_path, archive.test, "git lfs pull")
    (tmp_path / archive.file).write_bytes(POINTER_FILE)
    refused(archive.name, tmp_path, archive.file, "git lfs pull")


# --- Tiny ImageNet


@pytest.fixture
def small(monkeypatch):
    """Tiny ImageNet with as few images as the tests make."""
    read = tiny_imagenet.read_tiny_imagenet
    monkeypatch.setattr(tiny_imagenet, "read_tiny_imagenet", lambda path: read(path, **test_tiny_imagenet.SIZES))


def test_a_whole_zip_file_wins_over_a_folder_that_was_unpacked_in_part(small, tmp_path):
    folder = test_tiny_imagenet.write_folder(tmp_path, {"wnids.txt": b"n01443537"})
    refused("tiny_imagenet", tmp_path, "expected 3 WordNet ids")
    path = test_tiny_imagenet.write_zip(tmp_path, test_tiny_imagenet.contents())
    for given in (tmp_path, folder, path):
        assert len(data.load("tiny_imagenet", data_dir=str(given)).train.labels) == 6


def test_tiny_imagenet_may_be_given_itself_and_under_another_name(small, tmp_path):
    folder = test_tiny_imagenet.write_folder(tmp_path, test_tiny_imagenet.contents())
    assert len(data.load("tiny_imagenet", data_dir=str(folder)).test.labels) == 4
    folder.rename(tmp_path / "renamed")
    assert len(data.load("tiny_imagenet", data_dir=str(tmp_path / "renamed")).test.labels) == 4


def test_a_zip_file_packed_again_is_read_and_one_of_something_else_shows_what_it_holds(small, tmp_path):
    test_tiny_imagenet.write_zip(tmp_path, {f"./{name}": c for name, c in test_tiny_imagenet.contents().items()})
    assert len(data.load("tiny_imagenet", data_dir=str(tmp_path)).test.labels) == 4
    test_tiny_imagenet.write_zip(tmp_path, {"other.txt": b"x"})
    refused("tiny_imagenet", tmp_path, "it holds", "tiny-imagenet-200/other.txt", kind=FileNotFoundError)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "got 0 bytes that are none"),
        (test_tiny_imagenet.picture(0, kind="PNG")[0], r"they start with b'\x89PNG"),
        (test_tiny_imagenet.picture(0)[0][:-3], "that are none, or not all of one"),
        (test_tiny_imagenet.picture(0)[0][:30], "that are none, or not all of one"),
        (test_tiny_imagenet.picture(0, side=256)[0], "expected 64 x 64 pixels, got 256 x 256"),
        # The header of an image of four thousand million pixels.
        (
            test_tiny_imagenet.picture(0)[0].replace(b"\x08\0\x40\0\x40", b"\x08\xff\xff\xff\xff"),
            "expected a JPEG image",
        ),
    ],
)
def test_an_image_that_is_none_is_named_by_its_path_in_the_data_set(small, tmp_path, packed, content, words):
    name = test_tiny_imagenet.TRAIN_IMAGE
    write = test_tiny_imagenet.write_zip if packed else test_tiny_imagenet.write_folder
    write(tmp_path, test_tiny_imagenet.contents() | {name: content})
    with pytest.raises(ValueError, match=name) as error:
        data.load("tiny_imagenet", data_dir=str(tmp_path))
    assert words in str(error.value)
    assert " at 0x" not in str(error.value)


def test_what_is_missing_of_tiny_imagenet_says_what_is_there(small, tmp_path):
    (tmp_path / "tiny-imagenet-100.zip").touch()
    refused("tiny_imagenet", tmp_path, "it holds tiny-imagenet-100.zip", kind=FileNotFoundError)
    test_tiny_imagenet.write_folder(tmp_path, {"words.txt": b""})
    refused("tiny_imagenet", tmp_path, "no wnids.txt in", "it holds words.txt", kind=FileNotFoundError)
    test_tiny_imagenet.write_folder(tmp_path, {"wnids.txt": POINTER_FILE})
    refused("tiny_imagenet", tmp_path, "tiny-imagenet-200/wnids.txt", "git lfs pull")
    (tmp_path / "tiny-imagenet-200.zip").write_bytes(POINTER_FILE)
    refused("tiny_imagenet", tmp_path, "tiny-imagenet-200.zip", "git lfs pull")
