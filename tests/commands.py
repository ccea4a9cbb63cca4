"""Python in a process of its own: what a person at a terminal sees."""

import json
import os
import pathlib
import subprocess
import sys
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parent.parent
# The doors on disk; a test compares them with the commands that there are.
EXPERIMENTS = tuple(sorted(path.stem for path in (ROOT / "experiments").glob("[a-z]*.py")))


class Answer(NamedTuple):
    code: int
    error: str
    output: str


class Flags(dict):
    """Flags that were given, all others None."""

    __getattr__ = dict.get


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


def forked(jobs, **options) -> list[Answer]:
    """Runs command lines, [module or "memorize", flag, ...] each, in forks of one process; options are `python`'s."""
    done = python("-m", "tests.forked", stdin=json.dumps(jobs), **options)
    assert done.returncode == 0, done.stderr
    return [Answer(*answer) for answer in json.loads(done.stdout)]
