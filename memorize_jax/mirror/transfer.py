"""Brings files from a bucket here and from here there, as planned."""

import pathlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from memorize_jax.mirror import lease as leases
from memorize_jax.mirror.bucket import Bucket, list_files, read_file, remove_file, write_file
from memorize_jax.mirror.local import Memory, digest_of, remove, scan, write_whole
from memorize_jax.mirror.plan import (
    Known,
    Manifest,
    decode,
    encode,
    intended,
    is_checkpoint,
    is_file_of_run,
    new_version,
    plan_download,
    plan_upload,
)

MANIFEST = ".mirror.json"
OURS = (MANIFEST, leases.NAME)
# Most files of a checkpoint are small, and most of their time is waiting.
AT_ONCE = 8


class Mirror(NamedTuple):
    """A local folder and the bucket that follows it.

    Attributes:
      bucket: Bucket.
      lease: the right to write there.
      folder: local.
      memory: of earlier commands.
      known: what the bucket holds; kept up to date.
    """

    bucket: Bucket
    lease: leases.Lease
    folder: pathlib.Path
    memory: Memory
    known: Known


def bring_here(bucket: Bucket, folder: pathlib.Path, memory: Memory, *, say: Callable[[str], None]) -> Known:
    """Makes the local folder what the bucket holds, unless the bucket holds what this folder wrote last.

    Args:
      bucket: which.
      folder: local.
      memory: of earlier commands.
      say: takes a line for the person who waits.

    Returns:
      What the bucket holds.

    Raises:
      BucketError: the bucket cannot be reached.
      ValueError: files in the bucket have changed, or all are gone.
    """

    def fetch(path):
        content = read_file(bucket, path)
        if content is not None:
            write_whole(folder / path, content)
        return content is None or path not in manifest.files or digest_of(content) in manifest.files[path]

    folder.mkdir(parents=True, exist_ok=True)
    content = read_file(bucket, MANIFEST)
    manifest = decode(content, f"{bucket.url}/{MANIFEST}") if content is not None else Manifest("", {})
    if content is not None and manifest.version in (memory.version, *memory.attempts):
        # What was done here and has not gone there is newer.
        return dict(manifest.files)
    listed = {path: size for path, size in list_files(bucket).items() if path not in OURS and is_file_of_run(path)}
    if not listed:
        if memory.version is not None:
            raise ValueError(f"{bucket.url} is empty, but {folder} holds a run from there; remove it to begin anew")
        return {}
    if memory.version is not None:
        say(f"taking over what another machine has done on {bucket.url}")
    read, gone = plan_download(listed, manifest.files, scan(folder, memory.index))
    if read:
        size = sum(listed[path] for path in read)
        say(f"reading {len(read)} files of {bucket.url}, {size / 1e6:.0f} MB, to {folder}")
    remove(folder, gone)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        changed = [path for path, is_sound in zip(read, pool.map(fetch, read), strict=True) if not is_sound]
    # A checkpoint's seal tells which part of the network it is, and training makes it again.
    for path in filter(is_checkpoint, changed):
        say(f"warning: {bucket.url}/{path} has changed since it was written")
    tables = [path for path in changed if not is_checkpoint(path)]
    if tables:
        remove(folder, tables)
        raise ValueError(
            f"{bucket.url}: {', '.join(tables[:3])} changed since it was written; restore it there, or remove it"
        )
    memory.version, memory.attempts = manifest.version, []
    memory.save()
    there = scan(folder, memory.index)
    # What was about to be removed from the bucket may still be there.
    return {path: possible for path, possible in manifest.files.items() if path in listed} | {
        path: (digest,) for path, digest in there.items()
    }


def bring_there(mirror: Mirror) -> None:
    """Makes the bucket what the local folder is now.

    Args:
      mirror: Mirror; what is known of the bucket is brought up to date.

    Raises:
      BusyError: another machine has taken the run over; no file is written that was not being written then.
      BucketError: the bucket cannot be reached; what has gone there has.
    """
    bucket, folder, memory, known = mirror.bucket, mirror.folder, mirror.memory, mirror.known
    local = scan(folder, memory.index)
    upload = plan_upload(local, known)
    if not upload.stages and not upload.remove:
        return
    # Checkpoints do not change under their name; tables do, while others are being written.
    held = {
        path: content
        for paths in upload.stages
        for path in paths
        if not is_checkpoint(path) and (content := _content(folder / path)) is not None
    }
    local |= {path: digest_of(content) for path, content in held.items()}

    def note(changes=None):
        known.update(intended(known, changes or {}))
        version = new_version()
        memory.attempts.append(version)
        memory.save()
        leases.check(mirror.lease)
        write_file(bucket, MANIFEST, encode(Manifest(version, known)))
        return version

    def send(path):
        content = held[path] if path in held else _content(folder / path)
        if content is None or digest_of(content) != local[path]:
            return False
        # Before every file: this machine may have stood still since the last one.
        leases.check(mirror.lease)
        write_file(bucket, path, content)
        known[path] = (local[path],)
        return True

    def forget(path):
        leases.check(mirror.lease)
        remove_file(bucket, path)
        del known[path]

    note({path: local[path] for paths in upload.stages for path in paths})
    with ThreadPoolExecutor(AT_ONCE) as pool:
        sent = [all(list(pool.map(send, paths))) for paths in upload.stages]
        # Not before: until metrics.csv is new, the old training states are those to go on from. What was removed here
        # in the meantime is left for the next time, and what it replaced until then.
        if upload.remove and all(sent):
            note(dict.fromkeys(upload.remove))
            list(pool.map(forget, upload.remove))
    memory.version = note()
    memory.attempts = []
    memory.save()


def _content(path):
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
