"""Python in a process of its own: what a person at a terminal sees."""

import json
import os
import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parent.parent
# What a note of tables holds besides their settings.
NOTE = {"identity": None, "command": "", "seconds": 1.0, "provenance": {}}
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
    command, env = [sys.executable, *map(str, arguments)], {**os.environ, "JAX_PLATFORMS": "cpu", **environment}
    return subprocess.run(command, cwd=cwd, env=env, input=stdin, capture_output=True, text=True, timeout=300)


def blocks(text, language) -> list[str]:
    """The blocks of code in a language in a text in Markdown."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def forked(jobs, **options) -> list[Answer]:
    """Runs command lines, [module or "memorize", flag, ...] each, in forks of one process; options are `python`'s."""
    done = python("-m", "tests.forked", stdin=json.dumps(jobs), **options)
    assert done.returncode == 0, done.stderr
    return [Answer(*answer) for answer in json.loads(done.stdout)]
