"""Where and with what a run was made: versions, device, commit."""

import importlib.metadata
import importlib.util
import pathlib
import platform
import subprocess

import jax

from memorize_jax.storage.files import checksum

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "jaxopt", "numpy")


def provenance() -> dict:
    """Collects package versions, Python, device and the commit of the source tree.

    Where the package has changes that are not committed, a checksum of these follows the commit after a "+".
    """
    devices = jax.devices()
    return {
        "memorize_jax": importlib.metadata.version("memorize_jax"),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "device": f"{len(devices)} x {devices[0].device_kind}",
        "commit": _commit() or "unknown",
    }


def _commit():
    here = pathlib.Path(__file__)
    try:
        commit, _ = _git("rev-parse", "HEAD", f"HEAD:./{here.name}").split()
        package = here.parents[1]
        changes = _git("status", "--porcelain", "--", package) + _git("diff", "HEAD", "--", package)
        new = _git("ls-files", "--others", "--exclude-standard", "-z", "--", package).split("\0")
        changes += "".join(str((here.parent / name).read_bytes()) for name in new if name)
    except (OSError, subprocess.CalledProcessError):  # no git, or the repository of somebody else
        return ""
    return f"{commit}+{checksum(changes.encode())}" if changes else commit


def _git(*arguments):
    asked = ["git", "-C", pathlib.Path(__file__).parent, *arguments]
    return subprocess.run(asked, capture_output=True, text=True, check=True, errors="replace").stdout
