"""Files that are written whole: readers see the old one or the new one, also after a power failure."""

import contextlib
import json
import os
import pathlib
import re
import secrets
import time
import zlib
from collections.abc import Iterator

# Our own form of a temporary name; nothing else is ever removed.
TEMPORARY = re.compile(r"\.(?P<stem>[\w.-]+)\.[0-9a-f]{16}\.tmp(\.\w+)?")
# Written without the lock of the folder, so that one in use may look like one that was left behind; an hour tells.
UNLOCKED = ("claims", "comparison", "over_seeds", "report", "runs")
LEFT_SECONDS = 3600


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a new, empty file beside `path`; what was written to it takes the place of `path` on leaving.

    Nobody can foresee its name, which has the same ending; it is removed if the writing fails. The folder is made, the
    folder above must exist: a run that was deleted does not come back in parts.
    """
    path.parent.mkdir(exist_ok=True)
    # A dot in front: it is not found by those who look for tables.
    beside = path.with_name(f".{path.stem}.{secrets.token_hex(8)}.tmp{path.suffix}")
    beside.touch(exist_ok=False)
    try:
        yield beside
        with open(beside, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    # Which names a folder holds is a file of its own.
    sync(path.parent)


def sync(path: pathlib.Path) -> None:
    """Returns when a file, or the names that a folder holds, are on disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:
        return  # Windows opens no folder
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a file whole, as UTF-8 and with the ends of lines as they are, on every system."""
    with replacing(path) as beside:
        beside.write_bytes(text.encode())


def remove_left_behind(folder: pathlib.Path) -> None:
    """Removes the temporary files that a killed process left in a folder whose lock is held."""
    for path in folder.glob(".*.tmp*"):
        with contextlib.suppress(OSError):
            if not (found := TEMPORARY.fullmatch(path.name)):
                continue
            is_locked = found["stem"] not in UNLOCKED and folder.name != "figures"
            if is_locked or time.time() - path.lstat().st_mtime > LEFT_SECONDS:
                path.unlink()


def checksum(content: bytes) -> str:
    """CRC-32 as text; finds every change of up to 32 neighboring bits."""
    return f"{zlib.crc32(content):08x}"


def write_json(path: pathlib.Path, content: dict) -> None:
    """Writes a JSON object, which has no key "checksum", with a checksum of itself."""
    body = json.loads(json.dumps(content))
    write_text(path, json.dumps({**body, "checksum": _own_checksum(body)}, indent=2) + "\n")


def read_json(path: pathlib.Path) -> tuple[dict, bool]:
    """Reads a JSON object, and compares it with its checksum if it has one; files of the first version have none.

    Returns the content without the checksum, and whether it had one. Raises ValueError, which names the file, if that
    is no JSON object, or not as it was written.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: expected JSON, got {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged: expected a JSON object, got {type(content).__name__}")
    noted = content.pop("checksum", None)
    if noted is not None and noted != _own_checksum(content):
        raise ValueError(f"{path} is not as it was written (its checksum differs); restore it from a copy")
    return content, noted is not None


def _own_checksum(body):
    return checksum(json.dumps(body, sort_keys=True).encode())
