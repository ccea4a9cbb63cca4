"""What to bring where, and in which order; knows neither disks nor buckets."""

import json
import re
import uuid
from collections.abc import Mapping
from typing import NamedTuple


class Digest(NamedTuple):
    """What a file holds.

    Attributes:
      size: bytes.
      sha256: of them.
    """

    size: int
    sha256: str


# Path -> what the file in the bucket may hold: one possibility, two while it is being replaced; None is no file.
Known = dict[str, tuple[Digest | None, ...]]


class Manifest(NamedTuple):
    """What the bucket says about itself.

    Attributes:
      version: a new one with every writing.
      files: what is there.
    """

    version: str
    files: Known


class Upload(NamedTuple):
    """What the bucket lacks.

    Attributes:
      stages: paths to write; a stage begins when the one before has ended.
      remove: paths, after all stages.
    """

    stages: list[list[str]]
    remove: list[str]


def is_file_of_run(path: str) -> bool:
    """Tells whether a path names a file of a run: not a lock, nor one being written or removed, nor one outside."""
    *folders, name = parts = path.split("/")
    if {"", ".", ".."} & set(parts) or any(re.fullmatch(r"\d+\.(new.*|old)", folder) for folder in folders):
        return False
    return name != "run.lock" and not re.fullmatch(r"\..+\.tmp(\.\w+)?", name)


def is_checkpoint(path: str) -> bool:
    """Tells whether a file belongs to a checkpoint: it is complete once it has its name, and sealed."""
    return "checkpoints" in path.split("/")[:-1]


def stage(path: str) -> int:
    """The stage in which a file is written.

    A run in a bucket must be one that goes on, wherever the writing stops: metrics.csv names no epoch that is not
    there, no training state stands for networks that are not there, and what has metrics says what it is.
    """
    if is_checkpoint(path):
        return 1 if "/resume/" in path else 0
    return {"config.json": 3, "metrics.csv": 4}.get(path.rpartition("/")[2], 2)


def plan_upload(local: Mapping[str, Digest], known: Known) -> Upload:
    """Compares a local folder with what the bucket holds.

    Args:
      local: path -> content.
      known: of the bucket.

    Returns:
      Upload; what the bucket holds besides, which this program has brought neither here nor there, stays.
    """
    changed = sorted(path for path, digest in local.items() if known.get(path) != (digest,))
    stages = [[path for path in changed if stage(path) == number] for number in range(5)]
    return Upload([paths for paths in stages if paths], sorted(set(known) - set(local)))


def intended(known: Known, changes: Mapping[str, Digest | None]) -> Known:
    """What the bucket may hold while changes are under way.

    Args:
      known: of the bucket before.
      changes: path -> what it is to hold; None for a file that is to be removed.

    Returns:
      For the paths that change: what they held, and what they are to hold last.
    """
    return known | {path: tuple(dict.fromkeys((*known.get(path, (None,)), new))) for path, new in changes.items()}


def plan_download(listed: Mapping[str, int], known: Known, local: Mapping[str, Digest]) -> tuple[list[str], list[str]]:
    """Compares a bucket with a local folder that is to become the same.

    Args:
      listed: path -> size, as the bucket lists them.
      known: as its manifest says.
      local: path -> content.

    Returns:
      (paths to read, local paths to remove). A file that was about to be removed from the bucket counts as removed.
    """
    there = [path for path in sorted(listed) if path not in known or known[path][-1] is not None]
    read = [path for path in there if path not in local or known.get(path) != (local[path],)]
    return read, sorted(set(local) - set(there))


def new_version() -> str:
    """A name that no other version has."""
    return uuid.uuid4().hex


def encode(manifest: Manifest) -> bytes:
    """Writes a manifest as JSON."""
    return json.dumps(manifest._asdict(), sort_keys=True).encode()


def decode(content: bytes, where: str) -> Manifest:
    """Reads a manifest; raises ValueError if it is none."""
    try:
        read = json.loads(content)
        files = {
            path: tuple(None if one is None else Digest(*one) for one in possible)
            for path, possible in read["files"].items()
        }
        return Manifest(read["version"], files)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{where}: expected the list of a run's files, got {error!r}") from error
