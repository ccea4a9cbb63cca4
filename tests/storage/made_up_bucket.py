"""A bucket in memory, a run in it as far as order matters, and what tests do with both."""

import shutil

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from memorize_jax.storage import bucket
from memorize_jax.storage.bucket import BEAT, LOCK, MANIFEST, Bucket

URL, PLACE = "memory://bucket/runs/mine", "/bucket/runs/mine/"
SAID = []


@pytest.fixture(autouse=True)
def store(monkeypatch):
    # Threads that read a file of this file system share its position.
    monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda self, path: self._open(path).getvalue())
    SAID.clear()
    yield MemoryFileSystem.store
    MemoryFileSystem.store.clear()


def work_on(root, url=URL, **options):
    return bucket.mirrored(url, root, **({"say": SAID.append, "on_lost": lambda: None} | options))


def opened(root):
    with work_on(root) as place:
        return place


def acquired(earlier=()):
    one = Bucket(URL)
    one.acquire([*earlier, one.token], SAID.append)
    return one


def put(name, content):
    fsspec.filesystem("memory").pipe_file(PLACE + name, content)


def held(token="theirs"):
    put(LOCK, f"{token:32} process 7 on elsewhere since now".encode())


def contents(place):
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def in_bucket(store):
    files = {name.removeprefix(PLACE): file.getvalue() for name, file in store.items()}
    return {name: content for name, content in files.items() if name not in (MANIFEST, LOCK, BEAT)}


def make_run(place, last, without=()):
    """The files of a run after epoch `last`: networks but for some, two training states, tables."""
    shutil.rmtree(place, ignore_errors=True)
    files = dict.fromkeys(("metrics.json", "metrics.csv"), str(last))
    files |= {"config.json": "config", "labels.npz": "labels", "results/a.csv": f"of {last}"}
    for name in ("leaf/0.0", "seal.json"):
        files |= {f"checkpoints/epochs/{one}/{name}": f"{name} {one}" for one in set(range(last + 1)) - set(without)}
        files |= {f"checkpoints/resume/{one}/{name}": f"state {one}" for one in (last - 1, last)}
    for path, content in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(content)


class Counting:
    """A file system whose every change is counted before it is made."""

    def __init__(self, filesystem, count):
        self._filesystem, self._count = filesystem, count

    def __getattr__(self, name):
        if name in ("pipe_file", "rm_file"):
            self._count()
        return getattr(self._filesystem, name)
