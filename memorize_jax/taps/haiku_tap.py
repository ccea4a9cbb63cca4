"""Layers of haiku networks."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import haiku as hk  # pyright: ignore[reportMissingImports] (an option)

from memorize_jax.taps.choice import AUTO
from memorize_jax.taps.libraries import describe, expect
from memorize_jax.taps.recording import Recorder, has_matrix
from memorize_jax.taps.tap import Tap


class HaikuTap(Tap):
    """Shows the layers of a network of haiku; see `haiku`."""

    def __init__(self, transformed: Any, layers: str | Sequence[str], arguments: dict[str, Any]):
        super().__init__(layers, arguments)
        expect(transformed, "haiku", "hk.transform(forward) or hk.transform_with_state(forward) of haiku")
        self._apply = transformed.apply
        self._has_state = isinstance(transformed, hk.TransformedWithState)
        self._takes_rng = "rng" in inspect.signature(transformed.apply).parameters

    def _show(self, network, inputs, arguments):
        given = network if isinstance(network, tuple) else (network,)
        if len(given) != 1 + self._has_state or not all(isinstance(each, Mapping) for each in given):
            wanted = "(params, state)" if self._has_state else "params"
            raise ValueError(f"expected {wanted} of the transformed network, got {describe(network)}")
        params, recorder = given[0], Recorder()

        def observe(forward, args, kwargs, context):
            # Its constructor is intercepted too.
            if context.method_name != "__call__":
                return forward(*args, **kwargs)
            name, kind = context.module.module_name, type(context.module).__name__
            own = list(params.get(name, {}).values())
            return recorder.observe(name, kind, has_matrix(kind, own), forward, args, kwargs)

        rng = arguments.pop("rng", None)
        with hk.intercept_methods(observe):
            result = self._apply(*given, *((rng,) if self._takes_rng else ()), *inputs, **arguments)
        recorder.finish(result[0] if self._has_state else result)
        return self._chosen(recorder, inputs)


def haiku(transformed: Any, layers: str | Sequence[str] = AUTO, **arguments: Any) -> HaikuTap:
    """A tap of a network of haiku; its layers have the names of its params, "mlp/~/linear_1".

    Args:
      transformed: of `hk.transform` or `hk.transform_with_state`, also through `hk.without_apply_rng`; not compiled by
        jax.jit, for then its modules are not run.
      layers: "auto" (`blocks.representations` says what that is), or names or patterns ("block_*/conv").
      **arguments: of the network, e.g. is_training=False; `rng` if it draws random numbers.

    Returns:
      tap(params, *inputs), or tap((params, state), *inputs) with `transform_with_state`; see `Tap`. The new state is
      dropped. Modules inside `hk.remat`, `hk.scan` or `hk.layer_stack` cannot be shown; their outputs can.

    Raises:
      ValueError: not a transformed function of haiku.
    """
    return HaikuTap(transformed, layers, arguments)
