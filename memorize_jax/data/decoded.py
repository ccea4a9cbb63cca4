"""Pictures that were decoded once are kept as arrays in the user's cache directory, and read from there."""

import contextlib
import hashlib
import json
import os
import pathlib
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import platformdirs
from jaxtyping import UInt8

from memorize_jax import memory
from memorize_jax.progress import say

# Pictures in a task of one thread, and those that tell how long all take. Fewer are not worth a file.
A_TASK, FIRST = 100, 64
LEAST_KEPT = 1000


def fingerprint(files: Sequence[pathlib.Path], *about: object) -> str:
    """A name for the pictures in some files: of paths, sizes and times of change, and of what is done with them."""
    states = [(os.fspath(file.absolute()), (state := file.stat()).st_size, state.st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps([states, about]).encode()).hexdigest()[:24]


def decode(
    name: str,
    read: Callable[[int], UInt8[np.ndarray, "height width channels"]],
    shape: tuple[int, int, int, int],
    print_of: str,
) -> UInt8[np.ndarray, "n height width channels"]:
    """Decodes pictures on all cores, or reads the array that an earlier call has kept.

    How long it takes and how much memory is said before, on standard error, if they are many.

    Args:
      name: of the data set, for what is said.
      read: gives the picture of a number.
      shape: of the result.
      print_of: `fingerprint` of the pictures.

    Raises ValueError if there is not as much memory; whatever `read` raises.
    """
    memory.check_fits(f"{name}: {shape[0]} pictures", int(np.prod(shape)), "use fewer or smaller pictures")
    kept = platformdirs.user_cache_path("memorize_jax") / "pictures" / f"{print_of}.npz"
    # A file that is damaged, which its checksum tells, or of another program is made anew.
    with contextlib.suppress(Exception), kept.open("rb") as stream, np.load(stream) as found:
        if (images := found["images"]).shape == shape and images.dtype == np.uint8:
            return images
    images = np.empty(shape, np.uint8)

    def some(start, end):
        for number in range(start, min(end, shape[0])):
            images[number] = read(number)

    started = time.perf_counter()
    some(0, FIRST)
    each = (time.perf_counter() - started) / FIRST
    is_large = shape[0] >= LEAST_KEPT
    # Decoding releases the interpreter's lock.
    with ThreadPoolExecutor() as pool:
        if is_large:
            left = max(each * (shape[0] - FIRST) / (os.cpu_count() or 1), 0)
            size = memory.readable(int(np.prod(shape)))
            say(f"{name}: decodes {shape[0]:,} pictures once, about {left:.0f} s, {size}; kept in {kept}")
        for _ in pool.map(lambda start: some(start, start + A_TASK), range(FIRST, shape[0], A_TASK)):
            pass
    if is_large:
        _keep(kept, images)
    return images


def _keep(path, images):
    """Writes an array; where the folder cannot be written nothing is kept."""
    beside = path.with_name(f".{path.stem}.{secrets.token_hex(8)}.npz")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            np.savez(beside, images=images)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
