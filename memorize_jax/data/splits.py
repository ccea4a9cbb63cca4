"""What a data set is to the rest of the project."""

import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int, Int32, UInt8


class Split(NamedTuple):
    """Labeled examples: images, or float32 features of data that are not images; labels in 0 .. num_classes - 1."""

    images: UInt8[np.ndarray, "n height width channels"] | Float32[np.ndarray, "n ..."]
    labels: Int32[np.ndarray, " n"]
    num_classes: int
    name: str


class Splits(NamedTuple):
    """A training and a held-out set of the same kind."""

    train: Split
    test: Split


def check_splits(splits: object, name: str) -> Splits:
    """Checks what a function outside this package returned as data set `name`; gives NumPy arrays, labels as int32."""
    where = f"dataset {name}"
    if not isinstance(splits, Splits) or not all(isinstance(split, Split) for split in splits):
        of = f" of {', '.join(type(part).__name__ for part in splits)}" if isinstance(splits, tuple) else ""
        advice = "return Splits(Split(images, labels, num_classes, name), Split(...))"
        raise ValueError(f"{where}: expected data.Splits of two data.Split, got {type(splits).__name__}{of}; {advice}")
    splits = Splits(*(check_split(split, part, where) for part, split in splits._asdict().items()))
    kinds = [(one.images.shape[1:], one.images.dtype, one.num_classes) for one in splits]
    if kinds[0] != kinds[1]:
        sizes, types, counts = zip(*kinds, strict=True)
        differ = f"examples {sizes[0]} and {sizes[1]}, {types[0]} and {types[1]}, {counts[0]} and {counts[1]} classes"
        raise ValueError(f"{where}: expected train and test alike, got {differ}")
    shape, labels, number = splits.train.images.shape, splits.train.labels, splits.train.num_classes
    absent = np.setdiff1d(np.arange(min(number, len(labels) + 1)), labels)
    if len(absent):
        got = f"none of class {', '.join(map(str, absent[:10]))}{', ...' * (len(absent) > 10)}"
        advice = "number the others from 0 and lower num_classes"
        raise ValueError(f"{where}: expected training examples of each of {number} classes, got {got}; {advice}")
    if len(shape) == 4 and shape[1] in (1, 3) and min(shape[2:]) > 4:
        advice = "expected [n, height, width, channels]: images.transpose(0, 2, 3, 1)"
        warnings.warn(f"{where}: images {list(shape)} look like channels first; {advice}", stacklevel=3)
    return splits


def check_split(split: Split, part: str, where: str) -> Split:
    """Checks one part of a data set like `check_splits`; `where` begins the error messages."""
    try:
        # What is masked must not come back as a number.
        images, labels = (np.asarray(np.ma.filled(array, np.nan)) for array in (split.images, split.labels))
    except Exception as error:  # another library's array may fail in any way
        reason, advice = " ".join(str(error).split()), "tensors become them by x.detach().cpu().numpy()"
        raise ValueError(f"{where}: expected NumPy arrays in {part} ({reason}); {advice}") from error
    num_classes = split.num_classes
    if not isinstance(num_classes, (int, np.integer)) or num_classes < 2:
        raise ValueError(f"{where}: expected num_classes to be a whole number >= 2, got {num_classes!r}")
    is_image, is_other = (images.dtype, images.ndim) == (np.uint8, 4), images.dtype == np.float32
    if not (is_image or is_other) or images.ndim < 2 or labels.shape != images.shape[:1] or not images.size:
        raise ValueError(
            f"{where}: expected uint8 images [n, height, width, channels] or float32 [n, ...] and as many "
            f"labels in {part}, got {images.dtype} {list(images.shape)} and {labels.dtype} {list(labels.shape)}"
            f"{_advice(images, labels)}"
        )
    wrong = np.zeros(1, int) if is_image else (~np.isfinite(images)).sum(axis=tuple(range(1, images.ndim)))
    if wrong.any():
        examples = np.flatnonzero(wrong)
        got = f"{wrong.sum()} NaN or infinite in {len(examples)} examples, the first is example {examples[0]}"
        raise ValueError(f"{where}: expected finite numbers in {part}, got {got}; correct them or leave them out")
    return split._replace(images=images, labels=_as_int32(labels, num_classes, part, where))


def _advice(images, labels):
    if not images.size:
        return "; there is nothing in it"
    if images.dtype == np.uint8 and images.ndim == 3:
        return "; gray images need their one channel: images[..., None]"
    if images.dtype != np.float32 and (images.dtype, images.ndim) != (np.uint8, 4):
        return "; give images.astype(np.float32), or for images of 0 to 255 np.uint8 [n, height, width, channels]"
    return "; labels[:, 0] are [n], or labels.argmax(axis=1) of one-hot labels" if labels.ndim == 2 else ""


def _as_int32(labels, num_classes, part, where):
    got, advice = str(labels.dtype), "number them: np.unique(labels, return_inverse=True)[1]"
    if labels.dtype.kind in "iu":
        low, high = int(labels.min()), int(labels.max())
        if low >= 0 and high < num_classes:
            return labels.astype(np.int32)
        got += f" from {low} to {high}"
        advice = "leave out examples without a label" if low < 0 else f"up to {high} there are {high + 1} classes"
        if (low, high) == (1, num_classes):
            advice = "classes count from 0: subtract 1"
    elif labels.dtype.kind in "fb":
        advice = "if they are whole numbers, labels.astype(int)"
    expected = f"expected whole numbers from 0 to {num_classes - 1} as labels of {part}"
    raise ValueError(f"{where}: {expected}, got {got}; {advice}")


def stratified_split(
    labels: Int[np.ndarray, " n"], test_fraction: float, seed: int
) -> tuple[Int[np.ndarray, " train"], Int[np.ndarray, " test"]]:
    """Splits examples into training and test, a share of each class rounded down to whole examples; sorted indices."""
    rng = np.random.default_rng(seed)
    test = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        test.append(members[: int(len(members) * test_fraction)])
    test = np.sort(np.concatenate(test))
    return np.setdiff1d(np.arange(len(labels)), test), test
