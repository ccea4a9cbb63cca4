"""Clip art of the Open Clip Art Library (public domain), as Debian's package openclipart-png has it, at 32 x 32.

A class is a folder that holds at least 30 pictures itself: 52 in version 1:0.18+dfsg-19, from animals to
transportation/roadsigns, of 30 to 100 pictures, 2,196 + 1,078 together. How a picture comes in, or does not:

- it is averaged over areas to 32 pixels on its longer side; what is transparent, and what its shorter side leaves of
  the square, is white;
- of a folder that holds more than 100, the same 100 are taken at random, for one folder alone holds 1,378 stars;
- left out are: links, which show a picture of another folder; the folder unsorted, which is no category; and pictures
  of more than four million pixels (18 posters), which would take most of the time;
- of pictures whose pixels are equal at 32 x 32 one stays; all are left out if they are of two classes;
- a damaged file is an error.

Pictures that are nearly equal stay, mostly stars and outlines of maps: 2 % are within 3 of 255 levels (root mean
square) of another, and may be on both sides of the split. The nearest training picture has the right class for 39 % of
those for test.
"""

import concurrent.futures
import itertools
import math
import os
import pathlib
import struct

import numpy as np
from jaxtyping import Bool, Int, UInt8

from memorize_jax.data.downloads import data_folder, first_bytes, seen
from memorize_jax.data.splits import Split, Splits, stratified_split

DEBIAN_FOLDER = "/usr/share/openclipart/png"
INSTALL = "install Debian's package openclipart-png (apt-get install openclipart-png), or give its folder as --data_dir"
NO_CATEGORY = "unsorted"
SIDE = 32
LEAST_PER_CLASS, MOST_PER_CLASS = 30, 100
MOST_PIXELS = 4_000_000
# The kinds of pixels that Pillow reads from a PNG file of at most eight bits a channel.
MODES = ("1", "L", "LA", "P", "RGB", "RGBA")
# With half of the labels permuted, a class then has as many permuted, unpermuted and test pictures.
TEST_FRACTION = 1 / 3
# The source has neither a split nor a choice; this seed fixes ours for good.
SEED = 0


def picture_size(path: pathlib.Path) -> tuple[int, int]:
    """Reads the width and height of a PNG file from its first bytes; raises ValueError if it does not begin as one."""
    first_bytes(path)
    with path.open("rb") as stream:
        start = stream.read(24)
    if len(start) < 24 or not start.startswith(b"\x89PNG\r\n\x1a\n") or start[12:16] != b"IHDR":
        raise ValueError(f"{path}: expected a PNG picture, got a file that starts with {start[:8]!r}; take it away")
    return struct.unpack(">II", start[16:])


def read_picture(path: pathlib.Path) -> UInt8[np.ndarray, "32 32 3"]:
    """Reads a PNG file as it looks on white paper; raises ValueError, naming it, if it is damaged."""
    import PIL.Image

    try:
        with PIL.Image.open(path, formats=["PNG"]) as picture:
            if picture.mode not in MODES:
                raise ValueError(f"expected at most eight bits a channel, got mode {picture.mode}")
            largest = max(picture.size)
            width, height = (max(1, round(extent * SIDE / largest)) for extent in picture.size)
            # Pillow weighs colors by their opacity here.
            small = picture.convert("RGBA").resize((width, height), PIL.Image.Resampling.BOX)
    except (OSError, SyntaxError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: damaged, or not a picture for this data set ({reason}); take it away") from error
    square = PIL.Image.new("RGBA", (SIDE, SIDE), "white")
    square.alpha_composite(small, ((SIDE - width) // 2, (SIDE - height) // 2))
    return np.asarray(square.convert("RGB"))


def picture_files(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Lists, by class, which PNG files are read: the name of a class is its folder's, seen from the first."""
    found = {}
    for place, folders, names in os.walk(folder):
        folders.sort()
        name = pathlib.Path(place).relative_to(folder).as_posix()
        if name == NO_CATEGORY or name.startswith(f"{NO_CATEGORY}/"):
            continue
        files = [pathlib.Path(place, file) for file in sorted(names) if file.endswith(".png")]
        files = [file for file in files if not file.is_symlink()]
        if len(files) >= LEAST_PER_CLASS:
            found[name] = [file for file in files if math.prod(picture_size(file)) <= MOST_PIXELS]
    for name, files in sorted(found.items()):
        chosen = np.sort(np.random.default_rng(SEED).permutation(len(files))[:MOST_PER_CLASS])
        found[name] = [files[number] for number in chosen]
    return {name: files for name, files in sorted(found.items()) if len(files) >= LEAST_PER_CLASS}


def distinct(images: UInt8[np.ndarray, "n ..."], labels: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Marks the first of equal images, and none of those that are equal in two classes."""
    _, first, group = np.unique(images.reshape(len(images), -1), axis=0, return_index=True, return_inverse=True)
    group = group.reshape(-1)
    kept = np.zeros(len(images), bool)
    kept[first] = True
    other_class = np.zeros(len(first), bool)
    other_class[group[labels != labels[first][group]]] = True
    return kept & ~other_class[group]


def read_openclipart(folder: pathlib.Path) -> Splits:
    """Reads images [n, 32, 32, 3] of the folder's classes, in the order of their names, a third of each for test."""
    files = picture_files(folder)
    if len(files) < 2:
        expected = f"at least two folders with {LEAST_PER_CLASS} pictures *.png, such as animals/birds"
        raise FileNotFoundError(f"openclipart: expected {expected}, in {folder} (it {seen(folder)}); {INSTALL}")
    # Decoding releases the interpreter lock.
    with concurrent.futures.ThreadPoolExecutor() as pool:
        images = np.stack(list(pool.map(read_picture, itertools.chain(*files.values()))))
    labels = np.repeat(np.arange(len(files)), [len(of_class) for of_class in files.values()])
    kept = distinct(images, labels)
    kept &= (np.bincount(labels, kept) >= LEAST_PER_CLASS)[labels]
    images, (classes, labels) = images[kept], np.unique(labels[kept], return_inverse=True)
    if len(classes) < 2:
        expected = f"at least two folders with {LEAST_PER_CLASS} different pictures"
        raise ValueError(f"openclipart: expected {expected} in {folder}, got {len(classes)}; {INSTALL}")
    labels = labels.astype(np.int32)
    parts = stratified_split(labels, TEST_FRACTION, SEED)
    return Splits(*(Split(images[part], labels[part], len(classes), "openclipart") for part in parts))


def load(data_dir: str | None = None) -> Splits:
    """Reads the clip art in `data_dir`, else where Debian's package puts it."""
    return read_openclipart(data_folder(data_dir or DEBIAN_FOLDER))
