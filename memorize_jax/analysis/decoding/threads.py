"""One thread for linear algebra on the host."""

import contextlib
import functools

import threadpoolctl


@functools.cache
def _controller():
    return threadpoolctl.ThreadpoolController()


def one_thread() -> contextlib.AbstractContextManager:
    """Keeps BLAS and OpenMP to one thread inside a `with`: on small matrices threads mostly wait for one another.

    On two busy cores that made ten eigendecompositions of 200 x 200 take seconds instead of hundredths.
    """
    return _controller().limit(limits=1)
