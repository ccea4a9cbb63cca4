"""Commands on a run in a bucket: they work in a local folder and do not know it."""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator

import jax
from absl import flags

from memorize_jax.mirror import local_folder, mirrored

LOCAL_DIR = "~/.cache/memorize_jax"
# Of the URLs that --workdir may be.
SCHEMES = ("gs",)


@contextlib.contextmanager
def workdir_here(given: flags.FlagValues, schemes: tuple[str, ...] = SCHEMES, **options) -> Iterator[None]:
    """Has --workdir name a local folder while a run in a bucket is worked on, and brings that there.

    Args:
      given: flags, with `workdir` and `local_dir`; nothing happens unless the former is a URL.
      schemes: of the URLs that are buckets.
      **options: of `mirror.mirrored`.

    Raises:
      ValueError, OSError: one clear sentence, see `mirror.mirrored`.
    """
    url = given.workdir or ""
    scheme, is_url, _ = url.partition("://")
    if is_url and scheme not in schemes:
        raise ValueError(f"expected a folder or {' or '.join(f'{one}://BUCKET/PATH' for one in schemes)}, got {url}")
    # Of several processes, the first alone reads and writes the folder of a run.
    if not is_url or (jax.distributed.is_initialized() and jax.process_index() > 0):
        yield
        return

    def end():
        os.kill(os.getpid(), signal.SIGTERM)

    def say(text):
        print(text, file=sys.stderr, flush=True)

    with mirrored(url, given.local_dir, say=say, on_lost=end, **options) as folder:
        given.workdir = str(folder)
        try:
            with contextlib.redirect_stdout(_Renamed(sys.stdout, str(folder), url)):
                yield
        finally:
            given.workdir = url


class _Renamed(io.TextIOBase):
    """A stream that names the bucket instead of the local folder: what is advised to do next must go there too."""

    def __init__(self, stream, folder, url):
        self._stream, self._folder, self._url = stream, folder, url

    def write(self, text):
        return self._stream.write(text.replace(self._folder, self._url))

    def flush(self):
        self._stream.flush()


def named_as_given(message: str, given: flags.FlagValues) -> str:
    """An error's message with the name of the bucket instead of that of the local folder."""
    url = given.workdir or ""
    return message.replace(f"{local_folder(url, given.local_dir)}", url) if "://" in url else message
