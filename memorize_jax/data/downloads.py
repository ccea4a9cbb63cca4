"""Where data sets that a person or TFDS downloaded are looked for, and what is said when they are not there."""

import os
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

# How the file begins that Git LFS leaves in place of one that was not fetched.
POINTER = b"version https://git-lfs"
GZIP = b"\x1f\x8b"


class Wanted(NamedTuple):
    """What a data set's files are called.

    Attributes:
      names: of files or folders, best first; any of them will do.
      advice: what to take, and from where.
      word: in the names of other versions of the data set, to be shown first.
      below: folders of the data folder to look into before itself.
    """

    names: tuple[str, ...]
    advice: str
    word: str
    below: tuple[str, ...] = ()

    def places(self, folder: pathlib.Path) -> list[pathlib.Path]:
        """Folders to look into, downloads/manual because TFDS does; `folder` may be what is looked for itself."""
        folder = folder.parent if folder.name in self.names else folder
        return [folder / place for place in (*self.below, "", "downloads/manual")]


def data_folder(data_dir: str | None) -> pathlib.Path:
    """Resolves --data_dir; without one it is the folder TFDS uses."""
    return pathlib.Path(os.path.expanduser(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"))


def find(wanted: Wanted, folder: pathlib.Path) -> pathlib.Path | None:
    """Finds the best of a data set's files or folders; gives its path, or None."""
    paths = (place / name for name in wanted.names for place in wanted.places(folder))
    return next((path for path in paths if path.exists()), None)


def first_bytes(path: pathlib.Path) -> bytes:
    """Reads how a file begins; raises ValueError if it is only what Git LFS left in place of the file."""
    with path.open("rb") as stream:
        start = stream.read(len(POINTER))
    if start == POINTER:
        raise ValueError(f"{path}: expected the file itself, got a pointer to it; fetch it with git lfs pull")
    return start


def missing(wanted: Wanted, folder: pathlib.Path) -> str:
    """What to do, what was looked for and where, and what is there instead, in words."""
    names, places = ", ".join(wanted.names[:4]), ", ".join((*wanted.below, "downloads/manual"))
    return f"{wanted.advice} (looked for {names} in {folder} and, in it, {places}; it {seen(folder, wanted.word)})"


def seen(folder: pathlib.Path, word: str = "") -> str:
    """What a folder is or holds, in words; names with a certain word first."""
    if not folder.is_dir():
        return "is a file" if folder.exists() else "does not exist"
    return f"holds {listed((path.name for path in folder.iterdir()), word)}"


def listed(names: Iterable[str], word: str = "") -> str:
    """The first few of some names, those with a certain word before others."""
    names = sorted(names, key=lambda name: (word not in name.lower(), name))
    return ", ".join([*names[:8], *[f"and {len(names) - 8} more"] * (len(names) > 8)]) or "nothing"
