"""What the modules of a network take in and put out, in the order of one forward pass."""

import collections
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import get_opaque_trace_state

from memorize_jax.taps.leaves import path_parts

OUTPUT = "output"
# Behind the name of a module: what it reads. No path has a dot.
READ = ".input"
INSIDE = "called inside a transformation of the network's own (vmap, scan, remat, jit), which keeps its values"


@dataclasses.dataclass
class Call:
    """One call of a module."""

    name: str  # of the module, for its second call with "#2" behind it
    kind: str  # name of its class
    has_weights: bool
    calls: list["Call"] = dataclasses.field(default_factory=list)  # of modules inside of it


@dataclasses.dataclass
class Entry:
    """One array that can be shown."""

    name: str
    call: Call
    role: str  # "input", "output", "sown", or "returned" beside the answers
    traced: Any  # the array as the network sees it; the same object is the same activation
    value: Any  # the array that is shown
    is_inside: bool = False  # of a transformation of the network's own
    obstacle: str | None = None  # why it cannot be shown


class Recorder:
    """Keeps the activations of one forward pass."""

    def __init__(self, drop: Callable[[Any], bool] = lambda node: False):
        self.root = Call("", "", False)
        self.entries: dict[str, Entry] = {}
        self._drop = drop
        self._open = [self.root]
        self._counts: collections.Counter[str] = collections.Counter()
        self._home = get_opaque_trace_state(convention="memorize_jax")

    def observe(
        self, name: str, kind: str, has_weights: bool, forward: Callable, args: Sequence[Any], kwargs: dict
    ) -> Any:
        """Runs `forward(*args, **kwargs)`, the call of a module, and returns what it returns."""
        call = self.enter(name, kind, has_weights, [*args, *kwargs.values()])
        result = forward(*args, **kwargs)
        self.leave(call, result)
        return result

    @property
    def running(self) -> Call:
        """The call that is being run."""
        return self._open[-1]

    def enter(self, name: str, kind: str, has_weights: bool, arguments: Sequence[Any]) -> Call:
        """Notes that a module is called; the first of its arguments is its input."""
        number = self.number(name)
        call = Call(name if number == 1 else f"{name}#{number}", kind, has_weights)
        siblings = self.running.calls
        siblings[:] = [*(each for each in siblings if each.name != call.name), call]
        self._open.append(call)
        if arguments and is_array(arguments[0]):
            self.add(f"{call.name}{READ}", call, "input", arguments[0])
        return call

    def number(self, name: str) -> int:
        """Which call of a module this is, from 1 on."""
        self._counts[name] += 1
        return self._counts[name]

    def leave(self, call: Call, result: Any) -> None:
        """Notes what the module returned that was entered last."""
        self._open.pop()
        for name, array in self.arrays(result, call.name):
            self.add(name, call, "output", array)

    def finish(self, result: Any) -> None:
        """Notes what the network returned."""
        for name, array in self.arrays(result, OUTPUT):
            self.add(name, self.root, "output", array)

    @property
    def ends(self) -> list[Entry]:
        """What the network returned."""
        return [entry for entry in self.entries.values() if entry.call is self.root and entry.role == "output"]

    def set_answer(self, name: str) -> None:
        """Makes one of the arrays that the network returned its output, the last; others stand where they were made."""
        ends = self.ends
        order = [entry for entry in self.entries.values() if not any(entry is end for end in ends)]
        for entry in ends:
            if entry.name != name:
                entry.role = "returned"
                same = (at for at, one in enumerate(order, 1) if one.traced is entry.traced)
                order.insert(next(same, len(order)), entry)
        self.entries = {entry.name: entry for entry in [*order, self.entries[name]]}

    def add(self, name: str, call: Call, role: str, array: Any) -> Entry:
        """Notes an array."""
        inside = get_opaque_trace_state(convention="memorize_jax") != self._home
        entry = Entry(name, call, role, array, array, inside, INSIDE if inside else None)
        # What is traced a second time comes last, too.
        self.entries.pop(name, None)
        self.entries[name] = entry
        return entry

    def arrays(self, result: Any, name: str) -> list[tuple[str, Any]]:
        """The arrays that a module returned: "name", or "name.0", "name.hidden" where there are several."""
        found = jax.tree.leaves_with_path(result, is_leaf=self._drop)
        found = [(path, array) for path, array in found if is_array(array)]
        if len(found) == 1:
            return [(name, found[0][1])]
        return [(".".join([name, *path_parts(path)]), array) for path, array in found]


def is_array(value: Any) -> bool:
    """Tells arrays, traced ones too."""
    return hasattr(value, "dtype") and hasattr(value, "ndim")


def is_norm(kind: str) -> bool:
    """Tells by its class a module that normalizes; what it holds is neither a matrix nor a block."""
    return "Norm" in kind and not kind.startswith(("Weight", "Spectral"))


def has_matrix(kind: str, arrays: Sequence[Any]) -> bool:
    """Tells a module that multiplies its input by a matrix, by its own arrays."""
    is_matrix = lambda array: is_array(array) and array.ndim >= 2 and jnp.issubdtype(array.dtype, jnp.inexact)
    return not is_norm(kind) and any(map(is_matrix, arrays))
