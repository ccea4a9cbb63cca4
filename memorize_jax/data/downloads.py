"""Where the files of data sets are looked for, how they are opened, and what is said of those that are not there."""

import contextlib
import gzip
import os
import pathlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

# How the file begins that Git LFS leaves in place of one that was not fetched.
POINTER = b"version https://git-lfs"
GZIP = b"\x1f\x8b"
DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, tarfile.TarError, zipfile.BadZipFile)


class Wanted(NamedTuple):
    """What a data set's files are called.

    Attributes:
      names: files or folders, best first; any of them will do.
      advice: what to download, and from where.
      word: names that contain it are listed first, because they are likely other versions of the data set.
      below: subfolders of the data folder that are searched before the folder itself.
      inside: those of the names that are files of the wanted folder, which may have any name.
    """

    names: tuple[str, ...]
    advice: str
    word: str
    below: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()


def data_folder(data_dir: str | None) -> pathlib.Path:
    """Resolves --data_dir; without one it is the folder TFDS uses."""
    return pathlib.Path(os.path.expanduser(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"))


def find(wanted: Wanted, folder: pathlib.Path) -> pathlib.Path | None:
    """Finds the best of a data set's files or folders; `folder` may be what is looked for itself."""
    folder = folder.parent if folder.name in wanted.names else folder
    # downloads/manual, because TFDS looks there.
    places = [folder / place for place in (*wanted.below, "", "downloads/manual")]
    path = next((place / name for name in wanted.names for place in places if (place / name).exists()), None)
    return path.parent if path and path.name in wanted.inside else path


def first_bytes(path: pathlib.Path) -> bytes:
    """Reads how a file begins; raises ValueError if it is only what Git LFS left in place of the file."""
    with path.open("rb") as stream:
        start = stream.read(len(POINTER))
    if start == POINTER:
        raise ValueError(f"{path}: expected the file itself, got a pointer to it; fetch it with git lfs pull")
    return start


@contextlib.contextmanager
def opened(path: pathlib.Path, kind: str) -> Iterator[IO[bytes]]:
    """Opens a file, by gzip if its content is compressed; raises ValueError where a file of this kind is damaged."""
    opener = gzip.open if first_bytes(path).startswith(GZIP) else open
    try:
        with opener(path, "rb") as stream:
            yield stream  # pyright: ignore[reportReturnType] (GzipFile has the methods of IO[bytes], not the type)
    except DAMAGE as error:
        raise ValueError(f"{path}: damaged {kind} ({error})") from error


def unpacked_file(folder: pathlib.Path, name: str, archive: str) -> pathlib.Path:
    """Finds a file of an archive that was unpacked; raises FileNotFoundError that advises to unpack it again."""
    path = folder / name
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: expected a file {name}; unpack {archive} again (the folder {seen(folder)})")
    first_bytes(path)
    return path


def missing(wanted: Wanted, folder: pathlib.Path) -> str:
    """Says what to do, what was looked for and where, and what is there instead."""
    names, places = ", ".join(wanted.names[:4]), ", ".join((*wanted.below, "downloads/manual"))
    return f"{wanted.advice} (looked for {names} in {folder} and, in it, {places}; it {seen(folder, wanted.word)})"


def seen(folder: pathlib.Path, word: str = "") -> str:
    """Says what a folder is or holds; names that contain `word` come first."""
    if not folder.is_dir():
        return "is a file" if folder.exists() else "does not exist"
    return f"holds {listed((path.name for path in folder.iterdir()), word)}"


def listed(names: Iterable[str], word: str = "") -> str:
    """Lists the first eight names; those that contain `word` come first."""
    names = sorted(names, key=lambda name: (word not in name.lower(), name))
    return ", ".join([*names[:8], *[f"and {len(names) - 8} more"] * (len(names) > 8)]) or "nothing"
