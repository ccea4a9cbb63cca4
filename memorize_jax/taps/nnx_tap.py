"""Layers of flax.nnx modules."""

from collections.abc import Sequence
from typing import Any

import flax.nnx
import jax

from memorize_jax.taps.choice import AUTO
from memorize_jax.taps.libraries import expect
from memorize_jax.taps.modes import evaluation_keywords
from memorize_jax.taps.observed import observed, recording
from memorize_jax.taps.recording import Recorder
from memorize_jax.taps.tap import Tap


class NnxTap(Tap):
    """Shows the layers of a module of flax.nnx; see `nnx`."""

    def __init__(self, layers: str | Sequence[str], evaluation: bool, arguments: dict[str, Any]):
        super().__init__(layers, arguments)
        self._evaluation = evaluation

    def _show(self, network, inputs, arguments):
        expect(network, "flax.nnx", "a module of flax.nnx")
        # A copy: statistics, counts, mode and classes of the network stay what they are.
        graphdef, state = flax.nnx.split(network)
        # Made anew by jax, for flax lets variables change only where they were made.
        copy = flax.nnx.merge(graphdef, jax.tree.map(lambda leaf: leaf, state))
        if self._evaluation:
            copy.eval()
            # A mode that the network hands on in its call goes before that of its modules.
            arguments |= evaluation_keywords(type(copy).__call__, copy, *inputs, given=arguments)
        modules = {id(module): (path, module) for path, module in reversed([*flax.nnx.iter_modules(copy)])}
        for path, module in modules.values():
            if callable(module) and not isinstance(module, (flax.nnx.Rngs, flax.nnx.RngStream)):
                object.__setattr__(module, "__class__", observed(type(module), "/".join(map(str, path))))
        recorder = Recorder()
        with recording(recorder):
            recorder.finish(copy(*inputs, **arguments))
        return self._chosen(recorder, inputs)


def nnx(layers: str | Sequence[str] = AUTO, *, evaluation: bool = True, **arguments: Any) -> NnxTap:
    """A tap of modules of flax.nnx; a layer's name is its path, "encoder/blocks/0/linear".

    Args:
      layers: "auto" (`blocks.representations` says what that is), or names or patterns ("blocks/*").
      evaluation: as after `model.eval()`, though the model stays in the mode it is in, and with what its call takes for
        that, as `train=False` (`modes.EVALUATION`), unless it is given; False takes it as it is.
      **arguments: of the network.

    Returns:
      tap(model, *inputs); see `Tap`. The model is copied first, so that neither statistics nor counts of random numbers
      move. What it sows is shown under "path/name". Modules inside `nnx.remat`, `nnx.scan`, `nnx.vmap` or `nnx.jit`
      cannot be shown.
    """
    return NnxTap(layers, evaluation, arguments)
