"""Copies of modules that tell a recorder of their calls: instances of subclasses, so that no class is changed."""

import contextlib
import contextvars
import functools
from collections.abc import Iterator
from typing import Any

from memorize_jax.taps.recording import Recorder, has_matrix

# The recorder of the pass that is running, and the names of the modules it knows by their id.
_RUNNING: contextvars.ContextVar[tuple[Recorder, dict[int, str]] | None] = contextvars.ContextVar(
    "running", default=None
)


@contextlib.contextmanager
def recording(recorder: Recorder, names: dict[int, str]) -> Iterator[None]:
    """Notes all calls of observed modules while it lasts."""
    token = _RUNNING.set((recorder, names))
    try:
        yield
    finally:
        _RUNNING.reset(token)


@functools.cache
def observed(kind: type) -> type:
    """A subclass of a class of modules, of the same name, whose calls are noted; one for each class."""

    def call(self, *args, **kwargs):
        running = _RUNNING.get()
        name = running and running[1].get(id(self))
        # The network itself is what all others are in.
        if not running or not name:
            return kind.__call__(self, *args, **kwargs)
        weights = has_matrix(kind.__name__, [_array_of(value) for value in vars(self).values()])
        return running[0].observe(
            name, kind.__name__, weights, functools.partial(kind.__call__, self), args, kwargs
        )

    def sow(self, variable_type, name, value, *args, **kwargs):
        running = _RUNNING.get()
        own = running and running[1].get(id(self))
        if not running or own is None:
            return kind.sow(self, variable_type, name, value, *args, **kwargs)
        for label, array in running[0].arrays(value, f"{own}/{name}" if own else name):
            running[0].add(label, None, "sown", array)
        return True

    namespace: dict[str, Any] = {"__call__": call, "__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind)(kind.__name__, (kind,), {**namespace, **({"sow": sow} if hasattr(kind, "sow") else {})})


def _array_of(value):
    """The array in a variable of nnx; anything else as it is."""
    return value.get_value() if hasattr(value, "get_value") else value
