"""Commands on a run in a bucket: they work in a local folder and do not know it."""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator

import jax
from absl import flags

from memorize_jax.storage.bucket import local_folder, mirrored

LOCAL_DIR = "~/.cache/memorize_jax"


@contextlib.contextmanager
def workdir_here(given: flags.FlagValues, schemes: tuple[str, ...] = ("gs",), **options) -> Iterator[None]:
    """Has --workdir name a local folder while a run in a bucket is worked on; does nothing with other folders.

    URLs of these schemes are buckets; the options are those of `bucket.mirrored`.
    """
    url = given.workdir or ""
    scheme, is_url, _ = url.partition("://")
    if is_url and scheme not in schemes:
        raise ValueError(f"expected a folder or {' or '.join(f'{one}://BUCKET/PATH' for one in schemes)}, got {url}")
    # Of several processes, the first alone reads and writes the folder of a run.
    if not is_url or (jax.distributed.is_initialized() and jax.process_index() > 0):
        yield
        return
    options = {"say": lambda text: print(text, file=sys.stderr, flush=True), **options}
    with mirrored(url, given.local_dir, on_lost=lambda: os.kill(os.getpid(), signal.SIGTERM), **options) as folder:
        given.workdir = str(folder)
        try:
            with contextlib.redirect_stdout(_Renamed(sys.stdout, str(folder), url)):
                yield
        finally:
            given.workdir = url


class _Renamed(io.TextIOBase):
    """A stream that names the bucket instead of the local folder: what is advised to do next must go there too."""

    def __init__(self, stream, folder, url):
        self.flush = stream.flush
        self.write = lambda text: stream.write(text.replace(folder, url))


def named_as_given(message: str, given: flags.FlagValues) -> str:
    """An error's message with the name of the bucket instead of that of the local folder."""
    url = given.workdir or ""
    return message.replace(f"{local_folder(url, given.local_dir)}", url) if "://" in url else message
