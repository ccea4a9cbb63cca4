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
    """Hands out a path beside `path` to write to; what was written there takes its place on leaving.

    Args:
      path: of the file; its folder is made, the folder above must exist: a run that was deleted does not come back in
        parts.

    Yields:
      the path to write to, with the same ending: a new file under a name that nobody can foresee; removed again if the
      writing fails.
    """
    path.parent.mkdir(exist_ok=True)
    # A dot in front: it is not found by those who look for tables.
    beside = path.with_name(f".{path.stem}.{secrets.token_hex(8)}.tmp{path.suffix}")
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))
    try:
        yield beside
        with open(beside, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    # The new name is in the folder, which is a file of its own.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove_left_behind(folder: pathlib.Path) -> None:
    """Removes the temporary files that a killed process left in a folder whose lock is held."""
    for path in folder.glob(".*.tmp*"):
        found = TEMPORARY.fullmatch(path.name)
        with contextlib.suppress(OSError):
            if found and (
                (found["stem"] not in UNLOCKED and folder.name != "figures")
                or time.time() - path.lstat().st_mtime > LEFT_SECONDS
            ):
                path.unlink()


def checksum(content: bytes) -> str:
    """CRC-32 as text; finds every change of up to 32 neighboring bits."""
    return f"{zlib.crc32(content):08x}"


def write_json(path: pathlib.Path, content: dict) -> None:
    """Writes a JSON object, which has no key "checksum", with a checksum of itself."""
    body = json.loads(json.dumps(content))
    with replacing(path) as beside:
        beside.write_text(json.dumps({**body, "checksum": _own_checksum(body)}, indent=2) + "\n")


def read_json(path: pathlib.Path) -> tuple[dict, bool]:
    """Reads a JSON object, and compares it with its checksum if it has one.

    Args:
      path: of the file.

    Returns:
      (content without the checksum, whether it had one; files of the first version have none).

    Raises:
      FileNotFoundError: no such file.
      ValueError: it is no JSON object, or not as it was written; names the file.
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
