"""Where and with what a run was made: versions, device, commit."""

import contextlib
import functools
import importlib.metadata
import importlib.util
import pathlib
import platform
import shlex
import subprocess
import sys

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


# How the programs begin that call every command by its name.
PROGRAMS = ("memorize ", "python -m experiments ")


def command_line() -> str:
    """The line with which this process was started; "" if it was not one of the project's commands."""
    name = getattr(sys.modules["__main__"].__spec__, "name", "") or ""
    first, *flags = sys.argv or [""]
    if first.startswith(PROGRAMS):
        return f"{first} {shlex.join(flags)}".rstrip()
    return shlex.join(["python", "-m", name, *flags]) if name.startswith("experiments.") else ""


@functools.cache
def program(name: str) -> str:
    """How a command is called: by its door in `experiments`, or by the console script where there is none."""
    with contextlib.suppress(ImportError):
        if importlib.util.find_spec(f"experiments.{name}"):
            return f"python -m experiments.{name}"
    return f"memorize {name}"
