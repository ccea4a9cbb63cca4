"""Tiny ImageNet: 100,000 + 10,000 images of 64 x 64 x 3, 200 classes, from its original zip file or folder.

`tiny_imagenet_32` is its first hundred classes, averaged over areas to 32 x 32: of the shape of CIFAR-100.
"""

import concurrent.futures
import contextlib
import io
import pathlib
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32, UInt8

from memorize_jax import memory
from memorize_jax.data.decoded import decode, fingerprint
from memorize_jax.data.downloads import DAMAGE, Wanted, data_folder, find, listed, missing, opened, unpacked_file
from memorize_jax.data.splits import Split, Splits

SOURCE = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
FOLDER = "tiny-imagenet-200"
NUM_CLASSES, TRAIN_PER_CLASS, NUM_TEST = 200, 500, 10_000
SIDE = 64
# Of tiny_imagenet_32.
SMALL_SIDE, SMALL_CLASSES = 32, 100
# The longest of its files, the annotations, has 0.4 MB; anything longer is not of this data set.
MOST_BYTES = 4 << 20
IMAGES_PER_TASK = 500
WANTED = Wanted(
    # The zip file first: it has checksums, and a folder may have been unpacked in part.
    (f"{FOLDER}.zip", FOLDER, "wnids.txt"),
    f"download {SOURCE} and give its folder as --data_dir",
    "tiny",
    inside=("wnids.txt",),
)
WORDNET_ID = re.compile(r"n\d{8}")

Reader = Callable[[str], bytes]


@contextlib.contextmanager
def _reader(path: pathlib.Path) -> Iterator[Reader]:
    """Gives a function that reads one file by its name inside the data set; nothing is extracted."""
    if path.is_dir():
        root = path.resolve()

        def from_folder(name):
            file = unpacked_file(path, name, SOURCE).resolve()
            if not file.is_relative_to(root):
                raise ValueError(f"{path / name}: expected a file inside {root}, got a link to {file}")
            _check_size(file.stat().st_size, path / name)
            return file.read_bytes()

        yield from_folder
        return
    with opened(path, "zip file") as stream, zipfile.ZipFile(stream) as archive:
        # An archive that was packed again may have ./ before its names.
        members = {posixpath.normpath(info.filename): info for info in archive.infolist()}

        def from_zip(name):
            info = members.get(f"{FOLDER}/{name}")
            if info is None:
                advice = f"download {SOURCE} again (it holds {listed(members)})"
                raise FileNotFoundError(f"{path}: expected a member {FOLDER}/{name}; {advice}")
            _check_size(info.file_size, f"{path}: {name}")
            try:
                return archive.read(info)
            # An encrypted member is a RuntimeError, a kind of compression unknown to zipfile one of its subclasses.
            except (*DAMAGE, RuntimeError) as error:
                raise ValueError(f"{path}: damaged at {name} ({error})") from error

        yield from_zip


def _check_size(size, where):
    if size > MOST_BYTES:
        raise ValueError(f"{where}: expected at most {MOST_BYTES} bytes, got {size}")


def _image(content: bytes, where: str, side: int = SIDE) -> UInt8[np.ndarray, "side side 3"]:
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
            # Before decoding: the header alone tells the size.
            if image.size != (SIDE, SIDE):
                raise ValueError(f"{where}: expected {SIDE} x {SIDE} pixels, got {image.size[0]} x {image.size[1]}")
            # A few images are gray.
            color = image.convert("RGB")
            return np.asarray(color if side == SIDE else color.resize((side, side), PIL.Image.Resampling.BOX))
    except (OSError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        got = f"{len(content)} bytes that are none, or not all of one (they start with {content[:8]!r})"
        raise ValueError(f"{where}: expected a JPEG image, got {got}") from error


def _images(read: Reader, names: list[str], path) -> UInt8[np.ndarray, "n 64 64 3"]:
    memory.check_fits(f"{path}: {len(names)} images", len(names) * SIDE * SIDE * 3, "use a machine with more memory")
    images = np.empty((len(names), SIDE, SIDE, 3), np.uint8)

    def decode(start):
        for number in range(start, min(start + IMAGES_PER_TASK, len(names))):
            images[number] = _image(read(names[number]), f"{path}: {names[number]}")

    # Decoding releases the interpreter lock.
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for _ in pool.map(decode, range(0, len(names), IMAGES_PER_TASK)):
            pass
    return images


def _annotations(text: str, classes: list[str], num_test: int, path) -> Int32[np.ndarray, " n"]:
    """Reads the class of val_0.JPEG, val_1.JPEG, ..."""
    label_of = {wordnet_id: label for label, wordnet_id in enumerate(classes)}
    rows = dict(line.split("\t")[:2] for line in text.splitlines() if line.count("\t") >= 1)
    names = [f"val_{number}.JPEG" for number in range(num_test)]
    if rows.keys() != set(names) or not set(rows.values()) <= label_of.keys():
        expected = f"val_annotations.txt to give one of {len(classes)} classes for each of {num_test} images"
        raise ValueError(f"{path}: expected {expected}, got {len(rows)} images of {len(set(rows.values()))} classes")
    return np.array([label_of[rows[name]] for name in names], np.int32)


class _Names(NamedTuple):
    train: list[str]
    train_labels: Int32[np.ndarray, " n"]
    test: list[str]
    test_labels: Int32[np.ndarray, " m"]


def _names(read, path, num_classes, per_class, num_test) -> _Names:
    """The names of all files and their classes, these in the order of their WordNet ids.

    All names are made here or checked against those made here, so none can lead outside.
    """
    classes = sorted(set(read("wnids.txt").decode("ascii", "replace").split()))
    wrong = [name for name in classes if not WORDNET_ID.fullmatch(name)]
    if wrong or len(classes) != num_classes:
        got = f"{len(classes)}{f' with {wrong[0]!r}' if wrong else ''}"
        raise ValueError(f"{path}: expected {num_classes} WordNet ids like n01443537 in wnids.txt, got {got}")
    annotations = read("val/val_annotations.txt").decode("ascii", "replace")
    return _Names(
        [f"train/{name}/images/{name}_{number}.JPEG" for name in classes for number in range(per_class)],
        np.repeat(np.arange(num_classes, dtype=np.int32), per_class),
        [f"val/images/val_{number}.JPEG" for number in range(num_test)],
        _annotations(annotations, classes, num_test, path),
    )


def read_tiny_imagenet(
    path: pathlib.Path,
    num_classes: int | None = None,
    train_per_class: int | None = None,
    num_test: int | None = None,
) -> Splits:
    """Reads images [n, 64, 64, 3] from the zip file, without extracting it, or from the folder in it.

    The official validation set is the test set: the official test set has no labels.

    Args:
      path: of the zip file or the folder.
      num_classes: that there must be; None for those of the official data, as for the other two.
      train_per_class: training images of each.
      num_test: test images.
    """
    num_classes, num_test = num_classes or NUM_CLASSES, num_test or NUM_TEST
    with _reader(path) as read:
        names = _names(read, path, num_classes, train_per_class or TRAIN_PER_CLASS, num_test)
        parts = (names.train, names.train_labels), (names.test, names.test_labels)
        return Splits(*(Split(_images(read, part, path), own, num_classes, "tiny_imagenet") for part, own in parts))


def read_small(
    path: pathlib.Path,
    num_classes: int | None = None,
    train_per_class: int | None = None,
    num_test: int | None = None,
    num_kept: int | None = None,
) -> Splits:
    """Reads the first classes, `num_kept` or a hundred, averaged over areas to [n, 32, 32, 3]; others as above.

    What was decoded once is kept in the user's cache directory.
    """
    num_kept = num_kept or SMALL_CLASSES
    with _reader(path) as read:
        sizes = num_classes or NUM_CLASSES, train_per_class or TRAIN_PER_CLASS, num_test or NUM_TEST
        names = _names(read, path, *sizes)
        in_train, in_test = names.train_labels < num_kept, names.test_labels < num_kept
        wanted = [name for name, own in zip(names.train, in_train, strict=True) if own]
        ends = len(wanted)
        wanted += [name for name, own in zip(names.test, in_test, strict=True) if own]
        files = [unpacked_file(path, name, SOURCE) for name in wanted] if path.is_dir() else [path]
        images = decode(
            "tiny_imagenet_32",
            lambda number: _image(read(wanted[number]), f"{path}: {wanted[number]}", SMALL_SIDE),
            (len(wanted), SMALL_SIDE, SMALL_SIDE, 3),
            fingerprint(files, "tiny_imagenet_32", *sizes, num_kept),
        )
    parts = (images[:ends], names.train_labels[in_train]), (images[ends:], names.test_labels[in_test])
    return Splits(*(Split(part, own, num_kept, "tiny_imagenet_32") for part, own in parts))


def load(data_dir: str | None = None) -> Splits:
    """Finds the zip file or the folder and reads it: half a minute and 1.4 GB."""
    return read_tiny_imagenet(_found("tiny_imagenet", data_dir))


def load_32(data_dir: str | None = None) -> Splits:
    """Finds the same files and reads 50,000 + 5,000 images of 32 x 32: 169 MB, a quarter of a minute the first time."""
    return read_small(_found("tiny_imagenet_32", data_dir))


def _found(name, data_dir):
    folder = data_folder(data_dir)
    path = find(WANTED, folder)
    if path is None:
        raise FileNotFoundError(f"{name}: no data in {folder}; {missing(WANTED, folder)}")
    return path
