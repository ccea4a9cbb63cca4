"""Copies of modules that tell a recorder of their calls: instances of subclasses, so that no class is changed."""

import contextlib
import contextvars
import functools
from collections.abc import Iterator
from typing import Any

from memorize_jax.taps.recording import Recorder, has_matrix

# Of the pass that is running.
_RECORDER: contextvars.ContextVar[Recorder | None] = contextvars.ContextVar("recorder", default=None)


@contextlib.contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Notes all calls of observed modules while it lasts."""
    token = _RECORDER.set(recorder)
    try:
        yield
    finally:
        _RECORDER.reset(token)


@functools.cache
def observed(kind: type, path: str) -> type:
    """A subclass of a class of modules, of the same name, whose calls are noted.

    One for each path, which thus survives that jax takes the module to pieces and puts it together again. The path of
    the network itself is "".
    """

    def call(self, *args, **kwargs):
        recorder = _RECORDER.get()
        # All others are inside of the network itself.
        if recorder is None or not path:
            return kind.__call__(self, *args, **kwargs)
        weights = has_matrix(kind.__name__, [_array_of(value) for value in vars(self).values()])
        forward = functools.partial(kind.__call__, self)
        return recorder.observe(path, kind.__name__, weights, forward, args, kwargs)

    def sow(self, variable_type, name, value, *args, **kwargs):
        recorder = _RECORDER.get()
        if recorder is None:
            return kind.sow(self, variable_type, name, value, *args, **kwargs)
        for label, array in recorder.arrays(value, f"{path}/{name}" if path else name):
            recorder.add(label, recorder.running, "sown", array)
        return True

    namespace: dict[str, Any] = {"__call__": call, "__module__": kind.__module__, "__qualname__": kind.__qualname__}
    if hasattr(kind, "sow"):
        namespace["sow"] = sow
    return type(kind)(kind.__name__, (kind,), namespace)


def _array_of(value):
    """The array in a variable of nnx; anything else as it is."""
    return value.get_value() if hasattr(value, "get_value") else value
