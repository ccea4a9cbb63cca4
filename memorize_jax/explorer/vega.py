"""Sole owner of altair and of vl-convert: charts as Vega-Lite, and the scripts that show them without a network."""

import contextlib
import functools
import hashlib
import importlib.metadata
import pathlib
import zlib
from typing import Any

import platformdirs

from memorize_jax.storage.files import replacing

# What the bundle does when a page runs it.
CALL = "window.vegaEmbed = vegaEmbed;"


def altair() -> Any:
    """The library of charts, loaded when a chart is made: it takes a second."""
    import altair

    return altair


@functools.cache
def scripts() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, for the version of Vega-Lite that charts are made for.

    Bundling takes a second, so it is kept in the user's cache directory, for each version of the libraries.
    """
    import vl_convert

    version = ".".join(altair().SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    known = f"{importlib.metadata.version('vl-convert-python')} {version} {CALL}"
    kept = _folder() / f"{hashlib.sha256(known.encode()).hexdigest()[:24]}.js.z"
    # A file that is damaged, which its checksum tells, is made anew.
    with contextlib.suppress(OSError, ValueError, zlib.error):
        return zlib.decompress(kept.read_bytes()).decode()
    bundle = vl_convert.javascript_bundle(CALL, vl_version=version)
    with contextlib.suppress(OSError):
        # Whoever can write here can have a page run scripts.
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(kept) as beside:
            beside.write_bytes(zlib.compress(bundle.encode(), 1))
    return bundle


def _folder() -> pathlib.Path:
    return platformdirs.user_cache_path("memorize_jax") / "scripts"
