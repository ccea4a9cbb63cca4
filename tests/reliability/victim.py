"""An experiment that is struck by a signal at a chosen moment.

    python -m tests.reliability.victim SIGKILL event 17 experiments.train --workdir=...

The moment is the 17th event (a training step, or a file about to be put in place or forced to disk), or with "seconds"
so long after the first event. With "count" nothing happens, and the number of events is printed.
"""

import os
import runpy
import signal
import sys
import threading

from memorize_jax.training import watch


def main(name: str, unit: str, amount: float, module: str) -> None:
    """Runs the experiment `module` with the remaining arguments until the signal strikes."""
    count, guard, strike = 0, threading.Lock(), lambda: os.kill(os.getpid(), getattr(signal, name))

    def watched(function):
        def call(*arguments, **options):
            nonlocal count
            with guard:
                count += 1
                mine = count
            if unit == "event" and mine == int(amount):
                strike()
            if unit == "seconds" and mine == 1:
                later = threading.Timer(amount, strike)
                later.daemon = True
                later.start()
            return function(*arguments, **options)

        return call

    for changing in ("replace", "rename", "fsync"):
        setattr(os, changing, watched(getattr(os, changing)))
    watch.LossWatch.add = watched(watch.LossWatch.add)
    try:
        runpy.run_module(module, run_name="__main__")
    finally:
        if unit == "count":
            print(f"events: {count}")


if __name__ == "__main__":
    _, name, unit, amount, module, *flags = sys.argv
    sys.argv = [module, *flags]
    main(name, unit, float(amount), module)
