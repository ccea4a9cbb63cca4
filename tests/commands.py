"""Python in a process of its own: what a person at a terminal sees."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent
EXPERIMENTS = (
    "train",
    "geometry",
    "decoding",
    "rewinding",
    "gradients",
    "double_descent",
    "examples",
    "capacity_check",
    "umap",
    "spheres",
    "figures",
    "report",
    "claims",
    "reproduce",
    "sweep",
)


def python(*arguments, stdin="", cwd=ROOT, **environment) -> subprocess.CompletedProcess:
    """Runs Python with these arguments, at the root of the repository, with these environment variables on top."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "JAX_PLATFORMS": "cpu", **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=300,
    )
