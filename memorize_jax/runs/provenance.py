"""Where and with what a run was made: versions, device, commit."""

import contextlib
import importlib.metadata
import importlib.util
import pathlib
import platform
import subprocess

import jax

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "jaxopt", "numpy")


def provenance() -> dict:
    """Collects package versions, Python, device and the commit of the source tree."""
    here, commit = pathlib.Path(__file__), ""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):  # no git, or the repository of somebody else
        asked = ["git", "-C", here.parent, "rev-parse", "HEAD", f"HEAD:./{here.name}"]
        commit = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[0]
    devices = jax.devices()
    return {
        "memorize_jax": importlib.metadata.version("memorize_jax"),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "device": f"{len(devices)} x {devices[0].device_kind}",
        "commit": commit or "unknown",
    }
