"""How much disk a run needs, and whether it is there."""

import pathlib
import shutil

from memorize_jax.epochs import snapshots
from memorize_jax.memory import readable

# Choices a message can offer, from what keeps most to what keeps least.
OFFERS = (
    ("all", "bfloat16"),
    ("every:10", "float32"),
    ("log", "float32"),
    ("log", "bfloat16"),
    ("best,last", "float32"),
)
# Metadata and the ends of blocks, for each array.
BYTES_PER_LEAF = 16_384


def bytes_needed(keep: str, keep_dtype: str, *, epochs: int, leaf_bytes: list[int], state_bytes: list[int]) -> int:
    """Bounds the disk that the checkpoints of a run of so many epochs fill, from the bytes of every array."""
    network, overhead = sum(leaf_bytes), BYTES_PER_LEAF * len(leaf_bytes)
    # The best and the last in full, and the one before it, which goes when the last is there; likewise three states.
    full = 3 * (network + overhead)
    each = network // (2 if keep_dtype == "bfloat16" else 1) + overhead
    return full + len(snapshots(keep, epochs)) * each + 3 * (sum(state_bytes) + BYTES_PER_LEAF * len(state_bytes))


def check_space(folder: pathlib.Path, keep: str, keep_dtype: str, **sizes) -> None:
    """Compares the `bytes_needed` with what is free, or already taken by this folder, which need not exist.

    Raises:
      OSError: not enough; names the flag that helps.
    """
    free = free_bytes(folder) + sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    needed = bytes_needed(keep, keep_dtype, **sizes)
    if needed <= free:
        return
    offers = [
        (f"--keep={offer}" + (f" --keep_dtype={dtype}" if dtype != "float32" else ""), need)
        for offer, dtype in OFFERS
        if (need := bytes_needed(offer, dtype, **sizes)) <= free
    ]
    advice = " or ".join(f"{flags} ({readable(need)})" for flags, need in offers[:2])
    raise OSError(
        f"{sizes['epochs']} epochs of {readable(sum(sizes['leaf_bytes']))} need {readable(needed)} with --keep={keep} "
        f"--keep_dtype={keep_dtype}, {readable(free)} are free in {folder}; choose {advice or 'another --workdir'}"
    )


def free_bytes(folder: pathlib.Path) -> int:
    """Free bytes of the file system that holds `folder`, or will."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free
