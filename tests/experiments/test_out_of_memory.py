import pytest

from tests.commands import python

COMMAND = """
import sys, jax, numpy as np
from memorize_jax.commands import cli

def main():
    exec(sys.stdin.read())

cli.start(main, cli.define_workdir)
"""


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        ("raise MemoryError", "error: not enough memory ("),
        ("np.empty(10**15)", "error: Unable to allocate 7.11 PiB for an array with shape (1000000000000000,)"),
        (
            "raise jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: Out of memory\\nallocating 8 bytes.')",
            "error: RESOURCE",
        ),
    ],
)
def test_too_little_memory_is_one_line_with_advice(happens, said):
    ended = python("-c", COMMAND, stdin=happens)
    assert ended.returncode == 1
    assert ended.stderr.startswith(said)
    assert ended.stderr.endswith("are available here); ask for less: fewer examples, layers or draws\n")
    assert ended.stderr.count("\n") == 1


def test_another_error_of_the_runtime_keeps_its_traceback():
    ended = python("-c", COMMAND, stdin="raise jax.errors.JaxRuntimeError('INTERNAL: a mistake of ours')")
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr
