"""The mark of arrays whose channels may come first, which nobody can tell from the numbers."""

import numpy as np


class ChannelsFirst(np.ndarray):
    """An array that may be [n, channels, ...], as a layer of PyTorch has it, and else is like any other.

    Rows, copies and joined arrays keep the mark; `np.asarray` takes it off. A mark on what was transposed since may be
    wrong, so that it is a reason to refuse, and never to compute otherwise.
    """

    # What is joined with plain arrays keeps the mark.
    __array_priority__ = 1.0  # pyright: ignore[reportAssignmentType] (a property of NumPy)
