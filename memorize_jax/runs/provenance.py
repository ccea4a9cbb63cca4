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
    here = pathlib.Path(__file__).parent
    commit = ""
    with contextlib.suppress(OSError):  # there is no git
        asked = subprocess.run(["git", "-C", here, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
        commit = asked.stdout.strip()
    devices = jax.devices()
    return {
        "memorize_jax": importlib.metadata.version("memorize_jax"),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "device": f"{len(devices)} x {devices[0].device_kind}",
        "commit": commit or "unknown",
    }
