"""Threads on the host: one for linear algebra, all for what is our own."""

import concurrent.futures
import contextlib
import functools
import itertools
import os
import queue
from collections.abc import Callable
from typing import Any

import threadpoolctl


@functools.cache
def _controller():
    return threadpoolctl.ThreadpoolController()


def one_thread() -> contextlib.AbstractContextManager:
    """Keeps BLAS and OpenMP to one thread inside a `with`: on small matrices threads mostly wait for one another.

    On two busy cores that made an eigendecomposition of 1,000 x 1,000 take four seconds instead of a fourteenth of one.
    It reaches the LAPACK that jax calls on a processor too.
    """
    return _controller().limit(limits=1)


def on_threads(function: Callable[[int, int], Any], total: int) -> None:
    """Calls function(first, last) for ranges that make up `total` items, on as many threads as there are cores.

    It should release the interpreter's lock. Results must not depend on where one range ends and the next begins.
    """
    cores = num_cores()
    # A few for each, as some take longer than others.
    bounds = [total * part // (4 * cores) for part in range(4 * cores + 1)] if cores > 1 else [0, total]
    ranges = queue.SimpleQueue()
    for first, last in itertools.pairwise(bounds):
        if first < last:
            ranges.put((first, last))

    def work():
        with contextlib.suppress(queue.Empty):
            while True:
                function(*ranges.get_nowait())

    # This thread would only wait; waking another for every range costs as much as a small range itself. A fork has none
    # of its parent's threads.
    others = [_pool(os.getpid(), cores).submit(work) for _ in range(min(cores, ranges.qsize()) - 1)]
    try:
        work()
    finally:
        for other in others:
            other.result()


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def _pool(process, cores):
    del process
    return concurrent.futures.ThreadPoolExecutor(cores, thread_name_prefix="memorize_jax")
