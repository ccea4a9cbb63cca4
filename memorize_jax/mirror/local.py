"""The local folder: what is in it, and what is remembered of the bucket."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import uuid

from memorize_jax.mirror.plan import Digest, is_file_of_run, stage


class Memory:
    """What is known from one command to the next; kept in a file beside the folder.

    Args:
      path: of the file; it need not be there.

    Attributes:
      folder: a name that no other local folder has.
      version: of the bucket's manifest that this folder has written or read last; None if it never has.
      attempts: versions that it was about to write since.
      index: path -> (size, time of change, number of the file, sha256), so that nothing is read twice.
    """

    def __init__(self, path: pathlib.Path):
        self._path = path
        self.folder, self.version, self.attempts, self.index = uuid.uuid4().hex, None, [], {}
        # A memory that is lost or damaged is none: everything is compared anew.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            content = json.loads(path.read_text())
            self.folder, self.version, self.attempts = content["folder"], content["version"], content["attempts"]
            self.index = {name: tuple(values) for name, values in content["index"].items()}

    def save(self) -> None:
        """Writes the file whole."""
        names = ("folder", "version", "attempts", "index")
        content = {name: getattr(self, name) for name in names}
        write_whole(self._path, json.dumps(content).encode())


def local_folder(url: str, root: str | os.PathLike) -> pathlib.Path:
    """The folder in which a run in a bucket is worked on.

    Args:
      url: of the run.
      root: folder of all such folders.

    Returns:
      Path; two URLs never have the same.
    """
    url = url.rstrip("/")
    name = re.sub(r"[^\w.-]", "_", url.rpartition("/")[2])[:40]
    return pathlib.Path(root).expanduser() / f"{name}-{hashlib.sha256(url.encode()).hexdigest()[:12]}" / "run"


def digest_of(content: bytes) -> Digest:
    """What some bytes are compared by."""
    return Digest(len(content), hashlib.sha256(content).hexdigest())


def list_paths(folder: pathlib.Path) -> list[str]:
    """Lists the finished files of a folder; training states before networks, which are written first."""
    found = []
    for place, folders, files in os.walk(folder):
        folders.sort(reverse=True)
        found += [(pathlib.Path(place) / name).relative_to(folder).as_posix() for name in files]
    return [path for path in found if is_file_of_run(path)]


def scan(folder: pathlib.Path, index: dict[str, tuple]) -> dict[str, Digest]:
    """Says what is in a folder, while others write there.

    Args:
      folder: which.
      index: of `Memory`; brought up to date.

    Returns:
      path -> content. Tables are read after checkpoints have been listed: they may be newer, never older.
    """
    found = {}
    for path in sorted(list_paths(folder), key=stage):
        # What is gone by now was removed in the meantime.
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(folder / path)
            signature = (status.st_size, status.st_mtime_ns, status.st_ino)
            if index.get(path, ())[:3] != signature:
                with open(folder / path, "rb") as stream:
                    index[path] = (*signature, hashlib.file_digest(stream, "sha256").hexdigest())
            found[path] = Digest(index[path][0], index[path][3])
    for path in set(index) - set(found):
        del index[path]
    return found


def write_whole(path: pathlib.Path, content: bytes) -> None:
    """Writes a file beside its place and puts it there; its folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.tmp")
    beside.write_bytes(content)
    os.replace(beside, path)


def remove(folder: pathlib.Path, paths: list[str]) -> None:
    """Removes files, and the folders that are empty then."""
    for path in paths:
        (folder / path).unlink(missing_ok=True)
    for place, _, _ in os.walk(folder, topdown=False):
        if place != str(folder):
            with contextlib.suppress(OSError):
                os.rmdir(place)
