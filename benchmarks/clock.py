"""A fair clock, and a process's peak memory."""

import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

# A call that has been timed twice and has used this many seconds sits out the remaining turns.
BUDGET = 10.0
# A turn repeats a short call until about this many seconds have gone by: processor time comes in ticks.
TURN = 0.05


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
      repeats: turns; before the first, two calls for compilation and to see how long one takes.

    Returns:
      name -> (Timing, what the call returned).
    """
    first, spent, number = {}, {name: [] for name in calls}, {}
    for name, call in calls.items():
        first[name], _ = _clock(call, 1)
        number[name] = max(1, round(TURN / _clock(call, 1)[0]))
    for turn in range(repeats):
        for name, call in calls.items():
            if turn < 2 or number[name] * sum(wall for wall, _ in spent[name]) < BUDGET:
                spent[name].append(_clock(call, number[name]))
    timings = {}
    for name, turns in spent.items():
        wall, cpu = np.array(turns).T
        timings[name] = Timing(wall.min(), float(np.median(wall)), cpu.min(), max(first[name] - wall.min(), 0.0))
    return {name: (timings[name], calls[name]()) for name in calls}


def _clock(call, number):
    """Seconds and processor seconds of one call, from `number` calls."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(number):
        jax.block_until_ready(call())
    return (time.perf_counter() - wall) / number, (time.process_time() - cpu) / number


def peak_bytes() -> int:
    """Most memory this process has held; Linux. Not ru_maxrss, which a child inherits from its parent."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
