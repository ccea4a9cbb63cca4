"""Damages the files of a finished run, one at a time, and sees whether that is noticed."""

import contextlib
import pathlib
import random
from collections.abc import Callable

import numpy as np

from memorize_jax.runs.folder import RunFolder
from memorize_jax.storage.checkpoints import DamagedCheckpointError, EpochStore


def flip(content: bytes, rng: random.Random) -> bytes:
    """One bit of one byte is another."""
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << rng.randrange(8))]) + content[place + 1 :]


def truncate(content: bytes, rng: random.Random) -> bytes:
    """The file ends early."""
    return content[: rng.randrange(len(content))]


KINDS: dict[str, Callable | None] = {"flipped": flip, "truncated": truncate, "removed": None}


def notice(workdir: pathlib.Path, path: pathlib.Path) -> str | None:
    """What reading the checkpoint that a file belongs to says about it; None if nothing."""
    checkpoints = RunFolder(workdir).checkpoints
    kind, epoch, *_ = path.relative_to(checkpoints).parts
    with EpochStore(checkpoints) as store:
        if kind == "resume":
            said = []
            # A sound older one does not fit the template.
            with contextlib.suppress(ValueError):
                store.load_training_state({"step": np.int32(0)}, not_after=int(epoch), on_damage=said.append)
            return said[0] if said else None
        try:
            store.load(int(epoch))
        except DamagedCheckpointError as error:
            return str(error)
    return None


def damage_all(workdir: pathlib.Path, *, count: int, rng: random.Random) -> tuple[dict, list[str]]:
    """Damages `count` files of a run in every way, one at a time; counts, and the damage not noticed by its name."""
    paths = sorted(path for path in RunFolder(workdir).checkpoints.rglob("*") if path.is_file() and path.stat().st_size)
    chosen = rng.sample(paths, min(count, len(paths)))
    counts, missed = {}, []
    for kind, change in KINDS.items():
        found = []
        for path in chosen:
            content = path.read_bytes()
            path.unlink()
            if change is not None:
                path.write_bytes(change(content, rng))
            said = notice(workdir, path)
            path.write_bytes(content)
            epoch = path.relative_to(RunFolder(workdir).checkpoints).parts[1]
            leaf = path.parent.name if path.parent.name != epoch else path.name
            if not said or f"epoch {epoch} is damaged" not in said or leaf not in said:
                found.append(f"{path.relative_to(workdir)} {kind}: {said}")
        counts |= {f"files {kind}": len(chosen), f"files {kind}, noticed": len(chosen) - len(found)}
        missed += found
    return counts, missed
