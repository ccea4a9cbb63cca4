"""Runs several commands in forks of one process that has imported what they share: importing is most of their time.

    python -m tests.forked < jobs.json

with [[module, flag, ...], ...] on standard input; prints [[exit code, standard error, standard output], ...]. The
module "memorize" stands for the console script.
"""

import importlib
import json
import os
import runpy
import sys
import tempfile

from memorize_jax import commands
from memorize_jax.measurements.registry import figures, statements


def _run(module, flags, error, output):
    for descriptor, target in ((1, output), (2, error)):
        os.dup2(target.fileno(), descriptor)
    sys.argv = [module, *flags]
    # No code of __main__ may have run before.
    sys.modules.pop(module, None)
    code = 0
    try:
        if module == "memorize":
            commands.main()
        else:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code or 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def main() -> None:
    """Reads the jobs and prints what became of them."""
    for command in commands.commands().values():
        importlib.import_module(f"memorize_jax.commands.{command.module or 'measure'}")
    figures(), statements()
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
