"""Functions that numba turns into machine code of the processor.

The only file that imports numba, which takes half a second: import what uses it where it is used.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable) -> Any:
    """Compiles a function, which then releases the interpreter's lock.

    Sums may be taken in another order, always the same one; NaN stays NaN.
    """
    # What checks annotations wraps every function, which numba cannot compile.
    function = inspect.unwrap(function)
    options = {"nogil": True, "fastmath": {"reassoc", "contract"}, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        # No folder for its cache can be written.
        return numba.njit(**options)(function)
