"""A fair clock, and a process's peak memory."""

import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

# A call that has been timed twice and has used this many seconds sits out the remaining turns.
BUDGET = 10.0


class Timing(NamedTuple):
    """Seconds a call takes.

    Attributes:
      best: least of the turns.
      median: over the turns.
      cpu: least processor time over the turns, all threads together; other processes disturb it less.
      compile: what the first call took beyond `best`.
    """

    best: float
    median: float
    cpu: float
    compile: float


def time_together(calls: dict[str, Callable], *, repeats: int) -> dict[str, tuple[Timing, object]]:
    """Times several calls in turns, so that a busy moment of the machine strikes all of them.

    Args:
      calls: name -> function without arguments; arrays it returns are awaited.
      repeats: turns after the first, which is for compilation alone.

    Returns:
      name -> (Timing, what the call returned).
    """
    spent, results = {name: [] for name in calls}, {}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            if turn > 2 and sum(wall for wall, _ in spent[name]) > BUDGET:
                continue
            wall, cpu = time.perf_counter(), time.process_time()
            results[name] = jax.block_until_ready(call())
            spent[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    timings = {}
    for name, ((first, _), *turns) in spent.items():
        wall, cpu = np.array(turns).T
        timings[name] = Timing(wall.min(), float(np.median(wall)), cpu.min(), max(first - wall.min(), 0.0))
    return {name: (timings[name], results[name]) for name in calls}


def peak_bytes() -> int:
    """Most memory this process has held; Linux. Not ru_maxrss, which a child inherits from its parent."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
