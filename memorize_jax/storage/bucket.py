"""A run's folder in a bucket: a local folder is worked on, downloaded before, uploaded meanwhile and afterward.

MANIFEST says what each file there may hold, None for no file; last what it is to hold. It is written before files are,
when old and new are both right, and after, when one is: a table that holds anything else was changed by somebody. It
has the token of the command that wrote it: if that was ours, or is what we read last, the local folder is the newer.
Who writes holds the LOCK, which is made and removed but never changed, looks at it before every file, and shows that it
is alive by BEAT: nothing of it that arrives after another machine has taken over takes the lock back.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import platform
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from memorize_jax.storage.files import read_json, replacing, write_json
from memorize_jax.storage.lock import BusyError, locked

MANIFEST, LOCK, BEAT = ".mirror.json", ".mirror.lock", ".mirror.beat"
BEAT_SECONDS, LOOK_SECONDS, GONE_SECONDS = 20.0, 5.0, 90.0
AT_ONCE = 8  # most files are small, and most of their time is waiting
OPTIONS = {"gs:/": {"consistency": "md5"}, "file": {"auto_mkdir": True}}  # what arrives is compared; folders are made
# Locks, what is being written or removed, and what would lie elsewhere, as a link of W&B's does.
NEVER = re.compile(
    r"(.*/)?(\d+\.(new.*|old)/.*|run\.(lock|holder\.json)|debug-core\.log|\.mirror\..*|\..+\.tmp.*|\.{0,2}(/.*)?)"
)
# Written last: what has metrics says what it is, and metrics.json knows of the tables after it before they come.
LAST = ("config.json", "metrics.json", "restores.csv", "metrics.csv")
BucketError = ConnectionError  # the message names the bucket


class Bucket:
    """A folder SCHEME://BUCKET/PATH, and the right to write there."""

    def __init__(self, url: str):
        import fsspec

        self.url, self.token, self.taken = url.rstrip("/"), os.urandom(16).hex(), None
        try:  # other machines write too: no lists are kept
            self._fs, self.root = fsspec.url_to_fs(self.url, use_listings_cache=False, **OPTIONS.get(url[:4], {}))
        except ImportError as error:
            raise ValueError(f"workdir {url} needs another package: pip install 'memorize_jax[gcs]'") from error

    def do(self, act: str, name: str, *arguments: object, **options: object) -> Any:
        """Has fsspec do something with a file, but change it only while we may; None if there is no such file."""
        if act in ("pipe_file", "rm_file") and name != LOCK:
            self.check()
        try:
            return getattr(self._fs, act)(f"{self.root}/{name}".rstrip("/"), *arguments, **options)
        except FileExistsError:
            raise
        except Exception as error:  # each file system has errors of its own
            is_missing = isinstance(error, FileNotFoundError)
            if is_missing and act != "pipe_file":
                return None
            reason = "is there such a bucket?" if is_missing else f"{type(error).__name__}: {error}"
            raise BucketError(f"{self.url}/{name} could not be reached ({reason})") from error

    def check(self) -> None:
        """Raises BusyError if another machine has taken over: this one may have stood still since it last looked."""
        lock = (self.do("cat_file", LOCK) or b"").decode(errors="replace")
        if not lock.startswith(self.token):
            why = f"is in use by {lock[33:]} now" if lock else "has lost its lock"
            raise BusyError(f"workdir {self.url} {why}; nothing more is written there")

    def acquire(self, earlier: list[str], say: Callable[[str], None]) -> None:
        """Makes the lock; takes it from who does not move for `GONE_SECONDS`, or was an `earlier` command here."""
        seen, waited, here = None, 0.0, f" on {platform.node()} since "
        while True:
            with contextlib.suppress(FileExistsError):
                lock = f"{self.token} process {os.getpid()}{here}{time.strftime('%Y-%m-%dT%H:%M:%S%z')}"
                return self.do("pipe_file", LOCK, lock.encode(), mode="create")
            now = [(self.do("cat_file", name) or b"").decode(errors="replace") for name in (LOCK, BEAT)]
            if seen and now[0] and now != seen:
                raise BusyError(f"workdir {self.url} is in use by {now[0][33:]}; wait for it or stop it first")
            if waited >= GONE_SECONDS or (now[0][:32] in earlier and here in now[0]):
                self.do("rm_file", LOCK)
                self.taken = now[0][:32]
                continue
            if not seen:
                say(f"waiting up to {GONE_SECONDS:.0f} s to see whether {now[0][33:]} still works on {self.url}")
            time.sleep(LOOK_SECONDS)
            seen, waited = now, waited + LOOK_SECONDS

    def beat(self, stop: threading.Event) -> None:
        """Shows that the holder is there, and gives the lock back at the end; raises BusyError once it is lost."""
        while not stop.wait(BEAT_SECONDS):
            with contextlib.suppress(BucketError):
                self.do("pipe_file", BEAT, os.urandom(16).hex().encode())
        self.do("rm_file", BEAT)
        self.do("rm_file", LOCK)


def local_folder(url: str, root: str | os.PathLike) -> pathlib.Path:
    """The folder, below one for all, in which the run of a URL is worked on; two URLs never have the same."""
    name, number = re.sub(r"[^\w.-]", "_", url.rstrip("/").rpartition("/")[2]), hashlib.sha256(url.rstrip("/").encode())
    return pathlib.Path(root).expanduser() / f"{name[:40]}-{number.hexdigest()[:12]}" / "run"


@contextlib.contextmanager
def mirrored(url: str, root: str, *, say: Callable, on_lost: Callable, seconds: float = 30.0) -> Iterator[pathlib.Path]:
    """Downloads a run from a bucket to a folder below `root`, yields that, and uploads what is done to it.

    `say` takes lines for the person who waits; `on_lost` is called in another thread when another machine takes over.
    Raises BusyError: another process or machine works on the run; BucketError: the bucket cannot be reached, or at the
    end not all is there; ValueError: tables there have changed since they were written, or a package is missing.
    """
    bucket, folder, stop, end = Bucket(url), local_folder(url, root), threading.Event(), threading.Event()
    memory, tokens = folder.parent / "memory.json", []

    def work():
        is_failing = False
        while not stop.wait(seconds):
            try:
                bucket.check()
                upload(bucket, folder, known)
                is_failing = False
            except BusyError as error:
                say(f"warning: {error}")
                return on_lost()
            except Exception as error:
                if not is_failing:
                    say(f"warning: {error}; trying again every {seconds:.0f} s")
                is_failing = True

    def finish(kind, *_):
        stop.set()
        wait([working])
        try:
            upload(bucket, folder, known)
        except BucketError as error:
            left = f"{error}; everything is in {folder}, and the next command on {url} from this machine uploads it"
            if kind is None:
                raise BucketError(left) from error
            say(f"warning: {left}")

    with locked(folder.parent), ThreadPoolExecutor(2) as pool, contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError, ValueError, KeyError):
            tokens = read_json(memory)[0]["tokens"]
        write_json(memory, {"tokens": [*tokens, bucket.token]})
        bucket.acquire([*tokens, bucket.token], say)
        stack.callback(end.set)
        pool.submit(bucket.beat, end)
        token, known = download(bucket, folder, tokens, say)
        write_json(memory, {"tokens": [token, bucket.taken, bucket.token]})  # taken: a list of its holder may be late
        folder.mkdir(exist_ok=True)
        working = pool.submit(work)
        stack.push(finish)
        yield folder


def stage(path: str) -> int:
    """The place of a file in the order of writing: wherever that stops, it leaves a run that can be resumed."""
    if "/checkpoints/" in f"/{path}":
        return int("/resume/" in path)
    return next((3 + place for place, name in enumerate(LAST) if f"/{path}".endswith(f"/{name}")), 2)


def scan(folder: pathlib.Path) -> tuple[dict, dict[str, bytes]]:
    """Says what is in a folder while others write there: path -> what it holds, path -> content of tables.

    Training states are listed before networks, which are written first, and tables read after that, metrics.csv first.
    """
    paths, here, tables = [], {}, {}
    for place, folders, names in os.walk(folder):
        folders.sort(reverse=True)
        paths += [f"{place}/{name}"[len(f"{folder}/") :] for name in names]
    for path in sorted((path for path in paths if not NEVER.fullmatch(path)), key=stage, reverse=True):
        with contextlib.suppress(FileNotFoundError):  # removed in the meantime
            if stage(path) < 2:  # complete once they have their name, and checked by whoever reads them
                status = (folder / path).stat()
                here[path] = [status.st_size, status.st_mtime_ns]
            else:
                tables[path] = (folder / path).read_bytes()
                here[path] = hashlib.sha256(tables[path]).hexdigest()
    return here, tables


def download(bucket: Bucket, folder: pathlib.Path, tokens: list[str], say: Callable) -> tuple[str, dict[str, list]]:
    """Makes the local folder what the bucket holds, unless what is here is newer; returns what MANIFEST says."""
    try:
        noted = json.loads(bucket.do("cat_file", MANIFEST) or '{"token": "", "holds": {}}')
        token, known = noted["token"], dict(noted["holds"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{bucket.url}/{MANIFEST}: expected a list of files, got {error!r}; remove it") from error
    if token in tokens:
        return token, known
    found = {name for path in bucket.do("find", "") or () if not NEVER.fullmatch(name := path[len(bucket.root) + 1 :])}
    if not found:
        return token, {}
    there = {path for path in found if None not in known.get(path, [])[-1:]}  # but what was about to be removed
    here, _ = scan(folder)
    read = sorted(path for path in there if path not in here or known.get(path) != [here[path]])
    say(f"{'taking over what another machine has done on' if here else 'reading'} {bucket.url}: {len(read)} files")
    for path in set(here) - there:
        (folder / path).unlink()
        with contextlib.suppress(OSError):
            os.removedirs((folder / path).parent)

    def fetch(path):
        content, holds = bucket.do("cat_file", path), known.get(path, [])
        if content is None or (holds and stage(path) > 1 and hashlib.sha256(content).hexdigest() not in holds):
            return content is None
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(folder / path) as beside:
            beside.write_bytes(content)
        if len(holds) == 1 and stage(path) < 2:
            os.utime(folder / path, ns=(holds[-1][1], holds[-1][1]))
        return True

    with ThreadPoolExecutor(AT_ONCE) as pool:
        changed = ", ".join(path for path, is_right in zip(read, pool.map(fetch, read), strict=True) if not is_right)
    if changed:
        raise ValueError(f"{bucket.url}: {changed:.300} changed since it was written; restore it there, or remove it")
    return token, {path: known[path] for path in found - there} | {path: [at] for path, at in scan(folder)[0].items()}


def upload(bucket: Bucket, folder: pathlib.Path, known: dict[str, list]) -> None:
    """Makes the bucket what the local folder is now, and `known` what the bucket holds."""
    here, tables = scan(folder)
    changed = [path for path in here if known.get(path) != [here[path]]]
    gone = [path for path in known if path not in here]

    def note(holds):
        bucket.do("pipe_file", MANIFEST, json.dumps({"token": bucket.token, "holds": known | holds}).encode())
        known.update(holds)

    def send(path):
        if path not in here:
            bucket.do("rm_file", path)
            return known.pop(path)
        with contextlib.suppress(FileNotFoundError):  # gone by now: until the next time what it replaced stays
            bucket.do("pipe_file", path, tables[path] if path in tables else (folder / path).read_bytes())
            known[path] = [here[path]]
            return True

    if changed or gone:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            note({path: [*known.get(path, [None]), here[path]] for path in changed})
            stages = [[path for path in changed if stage(path) == number] for number in range(3 + len(LAST))]
            # Until metrics.csv is new, the old training states are those to resume from.
            if all([all(list(pool.map(send, paths))) for paths in stages]):
                note({path: [*known[path], None] for path in gone})
                list(pool.map(send, gone))
            note({})
