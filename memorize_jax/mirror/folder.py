"""Works in a local folder and keeps a bucket up with it."""

import contextlib
import os
import pathlib
import threading
import time
from collections.abc import Callable, Iterator

from memorize_jax.locks import BusyError, locked
from memorize_jax.mirror import lease as leases
from memorize_jax.mirror.bucket import BucketError, open_bucket
from memorize_jax.mirror.local import Memory, local_folder
from memorize_jax.mirror.transfer import Mirror, bring_here, bring_there

UPLOAD_SECONDS = 10.0
LAST_TRIES, PAUSE_SECONDS = 3, 5.0


@contextlib.contextmanager
def mirrored(
    url: str,
    root: str | os.PathLike,
    *,
    say: Callable[[str], None],
    on_lost: Callable[[], None],
    seconds: float = UPLOAD_SECONDS,
) -> Iterator[pathlib.Path]:
    """Brings a run from a bucket, and what is done to it back: every few seconds, and at the end.

    Wherever the uploading stops, what is in the bucket is a run that goes on (`plan.stage`). While the bucket cannot
    be reached, work goes on.

    Args:
      url: of the run's folder in the bucket.
      root: folder of all local folders of runs in buckets.
      say: takes a line for the person who waits, also from other threads.
      on_lost: called, in another thread, when another machine has taken the run over, so that it is no use to go on.
      seconds: between uploads.

    Yields:
      the local folder.

    Raises:
      BusyError: another process or machine works on the run.
      BucketError: the bucket cannot be reached; at the end, that not everything is there yet.
      ValueError: files in the bucket have changed since they were written.
    """
    bucket, folder = open_bucket(url), local_folder(url, root)
    with locked(folder.parent):
        memory = Memory(folder.parent / "memory.json")
        memory.save()
        lease = leases.acquire(bucket, memory.folder, say=say)
        try:
            with _repeated(leases.BEAT_SECONDS, lambda: _beat(lease), on_lost, say):
                known = bring_here(bucket, folder, memory, say=say)
                with _followed(Mirror(bucket, lease, folder, memory, known), seconds, on_lost, say):
                    yield folder
        finally:
            with contextlib.suppress(BucketError):
                leases.release(lease)


@contextlib.contextmanager
def _followed(mirror, seconds, on_lost, say):
    """Uploads now and then, and once at the end, also after an error, which is then the one to be seen."""
    try:
        with _repeated(seconds, lambda: bring_there(mirror), on_lost, say):
            yield
    except BaseException:
        try:
            _bring_all(mirror)
        except BucketError as error:
            say(f"warning: {error}")
        raise
    _bring_all(mirror)


@contextlib.contextmanager
def _repeated(seconds, action, on_lost, say):
    """Does something in another thread every so often."""
    stop = threading.Event()

    def work():
        is_failing = False
        while not stop.wait(seconds):
            try:
                action()
                is_failing = False
            except BusyError:
                on_lost()
                return
            except Exception as error:  # the last upload, in the main thread, raises what has not gone by then
                if not is_failing:
                    say(f"warning: {error}; trying again every {seconds:.0f} s")
                is_failing = True

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beat(lease):
    # Uploading says that the bucket is lost.
    with contextlib.suppress(BucketError):
        leases.beat(lease)


def _bring_all(mirror):
    """Uploads what is left; tries again if the bucket cannot be reached."""
    for left in reversed(range(LAST_TRIES)):
        try:
            bring_there(mirror)
            return
        except BucketError as error:
            if not left:
                raise BucketError(
                    f"{error}; everything is in {mirror.folder}, and the next command on {mirror.bucket.url} from this "
                    "machine brings it there"
                ) from error
            time.sleep(PAUSE_SECONDS)
