"""Layers of equinox modules."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx  # pyright: ignore[reportMissingImports] (an option)
import jax

from memorize_jax.taps.choice import AUTO
from memorize_jax.taps.leaves import path_parts
from memorize_jax.taps.libraries import expect
from memorize_jax.taps.modes import evaluation_keywords
from memorize_jax.taps.observed import observed, recording
from memorize_jax.taps.recording import Recorder
from memorize_jax.taps.tap import Tap

_is_module = lambda node: isinstance(node, eqx.Module)


class EquinoxTap(Tap):
    """Shows the layers of a module of equinox; see `equinox`."""

    def __init__(self, layers: str | Sequence[str], evaluation: bool, axis_name: str | None, arguments: dict[str, Any]):
        super().__init__(layers, arguments)
        self._evaluation, self._axis_name = evaluation, axis_name

    def _show(self, network, inputs, arguments):
        model, *state = network if isinstance(network, tuple) else (network,)
        expect(model, "equinox", "a module of equinox, or (module, state)")
        if self._evaluation:
            model = eqx.nn.inference_mode(model)
            # A mode that the network hands on in its call goes before that of its modules.
            arguments |= evaluation_keywords(type(model).__call__, model, *inputs, *state, given=arguments)
        copy = _observed_copy(model, ())

        def show(*example):
            recorder = Recorder(drop=lambda node: isinstance(node, eqx.nn.State))
            # A copy, for setting a state makes the one before it unusable.
            own = jax.tree.map(lambda leaf: leaf, state)
            with recording(recorder):
                result = copy(*example, *own, **arguments)
            recorder.finish(result)
            return self._chosen(recorder, example, has_examples=False)

        return jax.vmap(show, axis_name=self._axis_name)(*inputs)


def _observed_copy(module, path):
    """The module as an observed one, with all modules inside of it."""

    def inside(name, value):
        found, treedef = jax.tree.flatten_with_path(value, is_leaf=_is_module)
        copied = lambda keys, node: _observed_copy(node, (*path, name, *path_parts(keys)))
        new = [copied(keys, node) if _is_module(node) else node for keys, node in found]
        return jax.tree.unflatten(treedef, new)

    copy = object.__new__(observed(type(module), "/".join(path)) if callable(module) else type(module))
    static = {field.name for field in module.__dataclass_fields__.values() if field.metadata.get("static", False)}
    for name, value in vars(module).items():
        object.__setattr__(copy, name, value if name in static else inside(name, value))
    return copy


def equinox(
    layers: str | Sequence[str] = AUTO,
    *,
    evaluation: bool = True,
    axis_name: str | None = None,
    **arguments: Any,
) -> EquinoxTap:
    """A tap of modules of equinox; a layer's name is its path, "blocks/0/conv".

    Args:
      layers: "auto" (`blocks.representations` says what that is), or names or patterns ("layers/*").
      evaluation: as of `eqx.nn.inference_mode`: no dropout, running statistics, and with what its call takes for that,
        as `inference=True` (`modes.EVALUATION`), unless it is given; False takes the model as it is.
      axis_name: of the examples, for what computes over a batch.
      **arguments: of the network, the same for all examples.

    Returns:
      tap(model, *inputs), or tap((model, state), *inputs), where the network is called as model(x) or model(x, state)
      for one example; the tap runs it by `jax.vmap` for all n, and drops the new state; see `Tap`. Modules that the
      network itself calls under jax.vmap, scan or checkpoint, as `jax.vmap(self.norm)(tokens)`, cannot be shown; the
      blocks around them can.
    """
    return EquinoxTap(layers, evaluation, axis_name, arguments)
