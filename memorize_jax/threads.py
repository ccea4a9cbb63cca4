"""One thread for linear algebra on the host."""

import contextlib
import functools

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
