"""Runs several commands in forks of one process that has imported what they share: importing is most of their time.

    python -m tests.forked < jobs.json

with [[module, flag, ...], ...] on standard input; prints [[exit code, standard error, standard output], ...].
"""

import json
import os
import runpy
import sys
import tempfile

import jax
import orbax.checkpoint
import pandas

from memorize_jax import analysis, presets
from memorize_jax.commands import cli

SHARED = (jax, orbax.checkpoint, pandas, cli, presets, analysis)


def _run(module, flags, error, output):
    for descriptor, target in ((1, output), (2, error)):
        os.dup2(target.fileno(), descriptor)
    sys.argv = [module, *flags]
    # No code of __main__ may have run before.
    sys.modules.pop(module, None)
    code = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code or 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def main() -> None:
    """Reads the jobs and prints what became of them."""
    done = []
    for module, *flags in json.load(sys.stdin):
        with tempfile.TemporaryFile() as error, tempfile.TemporaryFile() as output:
            child = os.fork()
            if not child:
                _run(module, flags, error, output)
            _, status = os.waitpid(child, 0)
            texts = [os.pread(file.fileno(), 2**24, 0).decode() for file in (error, output)]
            done.append([os.waitstatus_to_exitcode(status), *texts])
    print(json.dumps(done))


if __name__ == "__main__":
    main()
