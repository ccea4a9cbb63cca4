"""Where and with what a run was made: versions, device, commit."""

import functools
import importlib.metadata
import importlib.util
import json
import pathlib
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping

import jax

from memorize_jax.storage.files import checksum

# What numbers come from; numba need not be installed.
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "jaxopt", "numpy", "scipy", "scikit-learn", "numba")


# Module that is loaded -> how it was found, which is another object once it is loaded again; and its checksum.
_LOADED: dict[str, tuple] = {}


def provenance() -> dict:
    """Collects package versions, Python, device and the commit of the source tree.

    Where the package has changes that are not committed, a checksum of these follows the commit after a "+"; where
    there is no commit, that of all files follows "unknown". Both are of when they are first asked for, as the code is.
    """
    devices = jax.devices()
    return {
        "memorize_jax": importlib.metadata.version("memorize_jax"),
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "device": f"{len(devices)} x {devices[0].device_kind}",
        "commit": _commit(),
    }


def own_code(modules: Iterable[str]) -> dict[str, str]:
    """Checksums of modules that are not of this package, by name; of a package of all its files.

    What these import in turn is not looked at. A module that is not found, or has no file, has none.
    """
    outside = sorted({name for name in modules if name.partition(".")[0] != __name__.partition(".")[0]})
    return {name: found for name in outside if (found := _checksum_of_module(name))}


def edited_code(held: Mapping[str, str]) -> str:
    """Names the modules whose checksums are no longer those that are `held`, see `own_code`; "" if all are."""
    found = own_code(held)
    return ", ".join(name for name, checksum in held.items() if found.get(name) != checksum)


def library_version(name: str) -> str:
    """Version of a library that networks are written in, as it is imported; "" where none is found."""
    return _version({"haiku": "dm-haiku"}.get(name, name.partition(".")[0]))


def _checksum_of_module(name):
    """Of the code that runs: a file that was edited since its module was imported makes no difference yet."""
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    if (known := _LOADED.get(name)) and known[0] is loaded:
        return known[1]
    found = _checksum_of_source(name)
    if loaded is not None:
        _LOADED[name] = loaded, found
    return found


def _checksum_of_source(name):
    try:
        spec = importlib.util.find_spec(name)
    except Exception:  # a package may fail in any way when it is imported
        return ""
    path = pathlib.Path(spec.origin or "") if spec else pathlib.Path()
    if not path.is_file():
        return ""
    return _checksum_of_files(path.parent) if path.name == "__init__.py" else checksum(path.read_bytes())


def _checksum_of_files(folder):
    files = {path.relative_to(folder).as_posix(): checksum(path.read_bytes()) for path in folder.rglob("*.py")}
    return checksum(json.dumps(files, sort_keys=True).encode())


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


@functools.cache
def _commit():
    here = pathlib.Path(__file__)
    try:
        commit, _ = _git("rev-parse", "HEAD", f"HEAD:./{here.name}").split()
        package = here.parents[1]
        changes = _git("status", "--porcelain", "--", package) + _git("diff", "HEAD", "--", package)
        new = _git("ls-files", "--others", "--exclude-standard", "-z", "--", package).split("\0")
        changes += "".join(str((here.parent / name).read_bytes()) for name in new if name)
    except (OSError, subprocess.CalledProcessError):  # no git, or the repository of somebody else
        return f"unknown+{_checksum_of_files(here.parents[1])}"
    return f"{commit}+{checksum(changes.encode())}" if changes else commit


def _git(*arguments):
    asked = ["git", "-C", pathlib.Path(__file__).parent, *arguments]
    return subprocess.run(asked, capture_output=True, text=True, check=True, errors="replace").stdout
