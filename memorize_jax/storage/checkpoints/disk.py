"""How much disk a run needs, and whether it is there."""

import pathlib
import shutil
from collections.abc import Sequence

from memorize_jax.epochs import snapshots
from memorize_jax.memory import readable

# Choices a message can offer, from what keeps most to what keeps least.
OFFERS = {
    "--keep=all --keep_dtype=bfloat16": ("all", "bfloat16"),
    "--keep=every:10": ("every:10", "float32"),
    "--keep=log": ("log", "float32"),
    "--keep=log --keep_dtype=bfloat16": ("log", "bfloat16"),
    "--keep=best,last": ("best,last", "float32"),
}
# Metadata and the ends of blocks, for each array.
BYTES_PER_LEAF = 16_384


def bytes_needed(keep: str, keep_dtype: str, *, epochs: int, leaf_bytes: list[int], state_bytes: list[int]) -> int:
    """Bounds the disk that the checkpoints of a run of so many epochs fill, from the bytes of every array."""
    network, overhead = sum(leaf_bytes), BYTES_PER_LEAF * len(leaf_bytes)
    # The best and the last in full, and those before them, which go when these are there; likewise three states.
    full = 4 * (network + overhead)
    each = network // (2 if keep_dtype == "bfloat16" else 1) + overhead
    return full + len(snapshots(keep, epochs)) * each + 3 * (sum(state_bytes) + BYTES_PER_LEAF * len(state_bytes))


def check_space(folders: Sequence[pathlib.Path], keep: str, keep_dtype: str, **sizes) -> None:
    """Raises OSError, which names a flag that helps, if less is free than what runs need and have not yet taken.

    Args:
      folders: of the checkpoints of each run, all on one disk; each needs `bytes_needed`.
      **sizes: see `bytes_needed`.
    """
    taken = (path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
    free, number = free_bytes(folders[0]) + sum(taken), len(folders)
    needed = number * bytes_needed(keep, keep_dtype, **sizes)
    if needed <= free:
        return
    offers = {flags: number * bytes_needed(*offer, **sizes) for flags, offer in OFFERS.items()}
    fitting = [f"{flags} ({readable(need)})" for flags, need in offers.items() if need <= free]
    advice = " or ".join(fitting[:2])
    seeds = f"{number} seeds with " if number > 1 else ""
    raise OSError(
        f"{seeds}{sizes['epochs']} epochs of {readable(sum(sizes['leaf_bytes']))} need {readable(needed)} with "
        f"--keep={keep} --keep_dtype={keep_dtype}, {readable(free)} are free in {folders[0]}; "
        f"choose {advice or 'another --workdir'}"
    )


def free_bytes(folder: pathlib.Path) -> int:
    """Free bytes of the file system that holds `folder`, or will."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
