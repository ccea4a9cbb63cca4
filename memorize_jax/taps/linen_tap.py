"""Layers of flax.linen networks."""

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any, cast

import flax.linen as nn
import jax.numpy as jnp

from memorize_jax.taps.choice import AUTO
from memorize_jax.taps.libraries import describe, expect
from memorize_jax.taps.recording import INSIDE, Recorder, has_matrix, is_array
from memorize_jax.taps.tap import Tap

SOWN = "intermediates"
# Under which a module sows what is its input, or put out; no user's name has a blank.
OWN = "tap "


class LinenTap(Tap):
    """Shows the layers of a network of flax.linen; see `linen`."""

    def __init__(self, model: Any, layers: str | Sequence[str], arguments: dict[str, Any]):
        super().__init__(layers, arguments)
        expect(model, "flax.linen", "a module of flax.linen")
        self._model = model

    def _show(self, network, inputs, arguments):
        if not isinstance(network, Mapping) or not isinstance(network.get("params", {}), Mapping):
            raise ValueError(f"expected variables {{'params': ...}} of the network, got {describe(network)}")
        if network and "params" not in network:
            raise ValueError(
                f"expected variables {{'params': ...}} of the network, got {describe(network)}; "
                "params alone go in as {'params': params}"
            )
        variables = {name: collection for name, collection in network.items() if name != SOWN}
        mutable = arguments.pop("mutable", False)
        mutable = mutable if mutable is True else [*([mutable] if isinstance(mutable, str) else mutable or []), SOWN]
        recorder = _LinenRecorder()
        with nn.intercept_methods(recorder.intercept):
            result, updates = self._model.apply(variables, *inputs, mutable=mutable, **arguments)
        recorder.fetch(updates.get(SOWN, {}))
        recorder.finish(result)
        return self._chosen(recorder, inputs)


class _LinenRecorder(Recorder):
    """Lets modules sow what they take in and put out: flax carries that out of remat and jit."""

    def __init__(self):
        super().__init__()
        self._modules: list[nn.Module] = []
        # Name of an entry -> (path of its module, name under which it is sown, which of the values there).
        self._places: dict[str, tuple[tuple[str, ...], str, int | None]] = {}

    def intercept(self, forward, args, kwargs, context):
        """An interceptor of flax that notes calls."""
        module = context.module
        if self._modules:
            self._note_sown(self._modules[-1])
        self._modules.append(module)
        # All others are inside of the network itself.
        if context.method_name == "__call__" and module.path:
            kind, own = type(module).__name__, module.variables.get("params", {})
            weights = has_matrix(kind, list(own.values()))
            result = self.observe("/".join(module.path), kind, weights, forward, args, kwargs)
        else:
            result = forward(*args, **kwargs)
            self._note_sown(module)
        self._modules.pop()
        return result

    def number(self, name):
        """Which call it is, from what the module has sown: jax may run the inside of a scan twice to trace it."""
        module = self._modules[-1]
        if not module.sow(SOWN, f"{OWN}call", jnp.zeros(())):
            return super().number(name)
        return len(module.get_variable(SOWN, f"{OWN}call"))

    def leave(self, call, result):
        """Notes what the module has sown, and what it returned."""
        self._note_sown(self._modules[-1])
        super().leave(call, result)

    def add(self, name, call, role, array):
        """Notes an array, and lets the module sow it."""
        entry = super().add(name, call, role, array)
        if role != "sown" and call is not self.root:
            module, key = self._modules[-1], f"{OWN}{role}{name.removeprefix(call.name)}"
            if module.sow(SOWN, key, array):
                entry.obstacle = None
                self._places[name] = (module.path, key, len(module.get_variable(SOWN, key)) - 1)
        return entry

    def _note_sown(self, module):
        for key, values in module.variables.get(SOWN, {}).items():
            if key.startswith(OWN) or isinstance(values, Mapping):
                continue
            several = values if isinstance(values, tuple) else (values,)
            for index, value in enumerate(several):
                name = "/".join([*module.path, key]) + (f"#{index + 1}" if index else "")
                if is_array(value) and name not in self.entries:
                    self.add(name, self.running, "sown", value).obstacle = None
                    self._places[name] = (module.path, key, index if isinstance(values, tuple) else None)

    def fetch(self, sown: Mapping[str, Any]) -> None:
        """Takes the values of all entries out of what was sown."""
        if lost := sorted(_calls_in(sown) - {path for path, _, _ in self._places.values()}):
            raise ValueError(
                f"expected a network whose modules are run, got {'/'.join(lost[0])} compiled before by nn.jit, so that "
                "it cannot be shown; take nn.jit away"
            )
        for name, (path, key, index) in self._places.items():
            entry = self.entries[name]
            try:
                values = functools.reduce(operator.getitem, [*path, key], cast(Any, sown))
            except KeyError:
                entry.obstacle = INSIDE
                continue
            entry.value = values if index is None else values[index]
            if entry.value.shape != entry.traced.shape:
                shapes = f"{list(entry.traced.shape)}, and {list(entry.value.shape)} together"
                entry.obstacle = f"run several times by scan or vmap, with shape {shapes}"


def _calls_in(sown, path=()):
    found = {path} if f"{OWN}call" in sown else set()
    return found.union(*(_calls_in(own, (*path, name)) for name, own in sown.items() if isinstance(own, Mapping)))


def linen(model: Any, layers: str | Sequence[str] = AUTO, **arguments: Any) -> LinenTap:
    """A tap of a network of flax.linen; a layer's name is its path, "encoder/block_0/Dense_1".

    Args:
      model: the module.
      layers: "auto" (`blocks.representations` says what that is), or names or patterns ("block_*").
      **arguments: of `model.apply`, e.g. train=False, `rngs`, `method`, and `mutable` in training mode.

    Returns:
      tap(variables, *inputs); see `Tap`. Updates of collections (batch statistics) are dropped. What the network
      sows as intermediates is shown under "path/name". Modules inside `nn.remat` are shown like others; those inside
      `nn.scan` or `nn.vmap` cannot be, but their outputs can.

    Raises:
      ValueError: not a module of flax.linen.
    """
    return LinenTap(model, layers, arguments)
