"""A folder of a bucket; sole owner of fsspec."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

INSTALL = {"gs": "pip install 'memorize_jax[gcs]'"}
# What is written is compared with what has arrived; and a folder on a disk must be made before a file in it.
OPTIONS = {"gs": {"consistency": "md5"}, "file": {"auto_mkdir": True}}


class BucketError(OSError):
    """A bucket could not be read or written; the message names it."""


class Bucket(NamedTuple):
    """A folder of a bucket; every file in it is replaced as a whole.

    Attributes:
      url: of the folder.
      filesystem: fsspec's.
      root: the folder's name there.
    """

    url: str
    filesystem: Any
    root: str

    def path(self, name: str) -> str:
        """The full name of a file."""
        return f"{self.root}/{name}"


def open_bucket(url: str) -> Bucket:
    """Connects to the folder of a URL.

    Args:
      url: SCHEME://BUCKET/PATH.

    Returns:
      Bucket.

    Raises:
      ValueError: the package for the scheme is missing; says how to install it.
      BucketError: no credentials, or whatever else the package objects to.
    """
    import fsspec

    scheme = url.partition("://")[0]
    # Other machines write too.
    options = {"use_listings_cache": False, **OPTIONS.get(scheme, {})}
    try:
        with _named(url, "opened"):
            filesystem, root = fsspec.url_to_fs(url.rstrip("/"), **options)
    except ImportError as error:
        raise ValueError(f"a workdir {scheme}:// needs another package: {INSTALL.get(scheme, error)}") from error
    return Bucket(url.rstrip("/"), filesystem, root.rstrip("/"))


@contextlib.contextmanager
def _named(url: str, done: str) -> Iterator[None]:
    """Turns whatever a file system raises into one that names the bucket."""
    try:
        yield
    except (FileNotFoundError, FileExistsError, ImportError, BucketError):
        raise
    except Exception as error:  # each file system has errors of its own
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise BucketError(f"{url} could not be {done} ({reason})") from error


def list_files(bucket: Bucket) -> dict[str, int]:
    """Lists all files below the folder: path in it -> size."""
    with _named(bucket.url, "listed"):
        try:
            found = bucket.filesystem.find(bucket.root, detail=True)
        except FileNotFoundError:
            return {}
    start = len(bucket.root) + 1
    # Some tools leave an empty object with the name of a folder.
    return {name[start:]: info["size"] for name, info in found.items() if name[start:] and not name.endswith("/")}


def read_file(bucket: Bucket, name: str) -> bytes | None:
    """Reads a file; None if there is none."""
    with _named(f"{bucket.url}/{name}", "read"):
        try:
            return bucket.filesystem.cat_file(bucket.path(name))
        except FileNotFoundError:
            return None


def write_file(bucket: Bucket, name: str, content: bytes) -> None:
    """Writes a file whole; readers see the old one or the new one."""
    with _named(f"{bucket.url}/{name}", "written"):
        try:
            bucket.filesystem.pipe_file(bucket.path(name), content)
        except FileNotFoundError as error:
            raise BucketError(f"{bucket.url}/{name} could not be written (is there such a bucket?)") from error


def create_file(bucket: Bucket, name: str, content: bytes) -> bool:
    """Writes a file unless there is one; of several that try, one succeeds. Tells whether it was this one."""
    with _named(f"{bucket.url}/{name}", "written"):
        try:
            bucket.filesystem.pipe_file(bucket.path(name), content, mode="create")
            return True
        except FileExistsError:
            return False
        except FileNotFoundError as error:
            raise BucketError(f"{bucket.url}/{name} could not be written (is there such a bucket?)") from error


def remove_file(bucket: Bucket, name: str) -> None:
    """Removes a file; none is fine."""
    with _named(f"{bucket.url}/{name}", "removed"), contextlib.suppress(FileNotFoundError):
        bucket.filesystem.rm_file(bucket.path(name))
