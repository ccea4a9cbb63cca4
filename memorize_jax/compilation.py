"""Compiled programs are kept on disk, so that later processes do not compile them again."""

import contextlib
import hashlib
import os
import pathlib
import platform
from collections.abc import Iterator

import jax
import platformdirs
from jax.experimental.compilation_cache import compilation_cache

from memorize_jax.progress import say

# Programs that compiled faster are not worth a file; when all take more, those longest not used go.
LEAST_SECONDS, MOST_BYTES = 0.05, 2**31


@contextlib.contextmanager
def kept_compiled() -> Iterator[None]:
    """Keeps what jax compiles inside a `with` in a folder of the user's cache directory, and takes it from there.

    A cache that the user has configured for jax is used as it is, and none where it is turned off, or where the folder
    cannot be written. Where the folder is made, this is said on standard error.
    """
    chosen = _value("jax_compilation_cache_dir") or not _value("jax_enable_compilation_cache")
    folder = None if chosen else _usable_folder()
    if folder is None:
        yield
        return
    own: dict[str, str | float] = {"jax_compilation_cache_dir": str(folder)}
    for name, environment, value in (
        ("jax_persistent_cache_min_compile_time_secs", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", LEAST_SECONDS),
        ("jax_compilation_cache_max_size", "JAX_COMPILATION_CACHE_MAX_SIZE", MOST_BYTES),
    ):
        if environment not in os.environ:
            own[name] = value
    before = {name: _value(name) for name in own}
    try:
        _configure(own)
        yield
    finally:
        _configure(before)


def default_folder() -> pathlib.Path:
    """The folder for this processor: programs are compiled for the instructions that it has."""
    return platformdirs.user_cache_path("memorize_jax") / "compiled" / _processor()


def _usable_folder():
    try:
        folder = default_folder()
        is_new = not folder.is_dir()
        # Whoever can write here can have the user run programs.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    if not os.access(folder, os.W_OK):
        return None
    if is_new:
        say(
            f"compiled programs are kept in {folder}, so that later commands start sooner "
            "(JAX_COMPILATION_CACHE_DIR names another folder, JAX_ENABLE_COMPILATION_CACHE=false keeps none)"
        )
    return folder


def _value(name):
    return getattr(jax.config, name)


def _configure(values):
    for name, value in values.items():
        jax.config.update(name, value)
    # Otherwise jax goes on with the folder that it knows.
    compilation_cache.reset_cache()


def _processor():
    """A short name for the kind of processor: its instructions where the system tells them."""
    known = [platform.machine(), platform.processor()]
    with contextlib.suppress(OSError):
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        known += [line for line in lines if line.startswith(("flags", "Features"))][:1]
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:12]
