"""Pictures as people keep them: train/CLASS/*.jpg and test/CLASS/*.png, of any size.

How a picture comes in: turned as its camera says; what is transparent is white; the middle square of it, averaged over
areas to `image_size` pixels, so that nothing is stretched. Pictures that all have one size already stay as they are
without `image_size`. If all are gray there is one channel, else there are three. Links are not followed.
"""

import os
import pathlib

import numpy as np
from jaxtyping import UInt8

from memorize_jax.data.decoded import decode, fingerprint
from memorize_jax.data.downloads import first_bytes, seen
from memorize_jax.data.splits import Split, Splits

NAME, PARTS = "image_folder", ("train", "test")
ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
# Kinds of pixels of at most eight bits a channel; the first two are gray.
GRAY, MODES = ("1", "L"), ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
LEAST_SIZE, MOST_SIZE = 4, 1024
LAYOUT = "its pictures are to be train/CLASS/*.jpg and test/CLASS/*.jpg (or png, gif, bmp, webp)"


def picture_files(folder: pathlib.Path) -> dict[str, dict[str, list[pathlib.Path]]]:
    """Lists the pictures by part, "train" and "test", and class; both have the same classes, the folders' names."""
    found = {}
    for part in PARTS:
        if not (folder / part).is_dir():
            raise FileNotFoundError(f"{NAME}: expected a folder {part} in {folder} (it {seen(folder)}); {LAYOUT}")
        classes = sorted(each.name for each in os.scandir(folder / part) if each.is_dir(follow_symlinks=False))
        found[part] = {name: _pictures(folder / part / name) for name in classes if not name.startswith(".")}
        for name, files in found[part].items():
            if not files:
                where = folder / part / name
                raise ValueError(f"{NAME}: expected pictures in {where} (it {seen(where)}); {LAYOUT}")
    train, test = (set(found[part]) for part in PARTS)
    if len(train) < 2:
        raise ValueError(f"{NAME}: expected at least two classes in {folder / PARTS[0]}, got {len(train)}; {LAYOUT}")
    only = {"train": sorted(train - test), "test": sorted(test - train)}
    if differ := [f"only {part} has {', '.join(names[:3])}" for part, names in only.items() if names]:
        got = "; ".join(differ)
        raise ValueError(f"{NAME}: expected the same classes in train and test of {folder}, but {got}")
    return found


def _pictures(folder):
    files = [pathlib.Path(each.path) for each in os.scandir(folder) if each.is_file(follow_symlinks=False)]
    return sorted(file for file in files if file.suffix.lower() in ENDINGS and not file.name.startswith("."))


def read_picture(path: pathlib.Path, image_size: int | None, mode: str) -> UInt8[np.ndarray, "height width channels"]:
    """Reads a picture; `mode` is "L", gray, or "RGB". Raises ValueError, naming the file, if it is damaged."""
    import PIL.Image
    import PIL.ImageOps

    first_bytes(path)
    try:
        with PIL.Image.open(path, formats=FORMATS) as picture:
            if picture.mode not in MODES:
                raise ValueError(f"expected at most eight bits a channel, got mode {picture.mode}")
            if image_size is not None:
                # A large photograph is read at a fraction of its size, which is no less than is needed.
                picture.draft(picture.mode, (2 * image_size, 2 * image_size))
            turned = PIL.ImageOps.exif_transpose(picture)
            if turned.mode in ("LA", "PA", "RGBA") or "transparency" in turned.info:
                white = PIL.Image.new("RGBA", turned.size, "white")
                white.alpha_composite(turned.convert("RGBA"))
                turned = white
            turned = turned.convert(mode)
            if image_size is not None:
                side, (width, height) = min(turned.size), turned.size
                left, top = (width - side) // 2, (height - side) // 2
                box, how = (left, top, left + side, top + side), PIL.Image.Resampling.BOX
                turned = turned.resize((image_size, image_size), how, box=box)
            pixels = np.asarray(turned)
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: damaged, or not a picture for this data set ({reason}); take it away") from error
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _size_and_mode(path):
    """From the first bytes of a file: width and height, and the kind of its pixels."""
    import PIL.Image

    try:
        with PIL.Image.open(path, formats=FORMATS) as picture:
            return picture.size, picture.mode
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        first_bytes(path)
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: damaged, or no picture ({reason}); take it away") from error


def load(data_dir: str | None = None, image_size: int | None = None) -> Splits:
    """Reads the pictures below `data_dir`; decoded once, they are kept in the user's cache directory.

    Args:
      data_dir: folder of the folders train and test.
      image_size: pixels on a side; None for pictures that all have one size.
    """
    if data_dir is None:
        raise ValueError(f"expected --data_dir with --dataset={NAME}; {LAYOUT}")
    if image_size is not None and not LEAST_SIZE <= image_size <= MOST_SIZE:
        raise ValueError(f"expected image_size from {LEAST_SIZE} to {MOST_SIZE}, got {image_size}")
    folder = pathlib.Path(os.path.expanduser(data_dir))
    by_part = picture_files(folder)
    files = {part: [file for own in of.values() for file in own] for part, of in by_part.items()}
    every = [file for part in PARTS for file in files[part]]
    looked_at = [_size_and_mode(file) for file in every]
    mode = "L" if all(kind in GRAY for _, kind in looked_at) else "RGB"
    sizes = {size for size, _ in looked_at}
    if image_size is None and len(sizes) > 1:
        smallest, largest = min(sizes), max(sizes)
        got = f"sizes from {smallest[0]} x {smallest[1]} to {largest[0]} x {largest[1]}"
        raise ValueError(f"{NAME}: expected pictures of one size in {folder}, got {got}; give --image_size, e.g. 32")
    width, height = (image_size, image_size) if image_size else next(iter(sizes))
    shape = len(every), height, width, 1 if mode == "L" else 3
    images = decode(
        NAME, lambda number: read_picture(every[number], image_size, mode), shape, fingerprint(every, image_size, mode)
    )
    ends = len(files[PARTS[0]])
    parts = zip((images[:ends], images[ends:]), by_part.values(), strict=True)
    return Splits(*(Split(own, _labels(of), len(of), NAME) for own, of in parts))


def _labels(files_of_classes):
    counts = [len(files) for files in files_of_classes.values()]
    return np.repeat(np.arange(len(counts), dtype=np.int32), counts)
