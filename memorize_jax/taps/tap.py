"""What the taps of all libraries have in common."""

import abc
import collections
import copy
from collections.abc import Sequence
from typing import Any, Self

import jax

from memorize_jax.taps.choice import AUTO, check_patterns, choose
from memorize_jax.taps.recording import Recorder, is_array

Shown = collections.OrderedDict[str, jax.Array]


class Tap(abc.ABC):
    """Shows the layers of a network by name: tap(params_or_model, *inputs) -> {layer: [n, ...]}.

    A pure function that works eagerly and inside jit, vmap and grad, of which XLA computes what is shown, no more;
    outside of jit all activations are held while it runs. It changes neither the network nor its classes.

    The result is an OrderedDict in the order of the forward pass, which jit keeps, as it does not for a dict. A module
    that is called again is named "conv#2", "conv#3"; what a module reads, "conv.input"; of several arrays that it
    returns each has a name, "attention.0"; what the network returns is "output".
    """

    def __init__(self, layers: str | Sequence[str], arguments: dict[str, Any]):
        self._patterns = check_patterns(layers)
        self._arguments = arguments
        self._answer: str | None = None

    def __call__(self, network: Any, *inputs: Any, **arguments: Any) -> Shown:
        """Runs the network and returns what its layers show.

        Args:
          network: what the library's function says.
          *inputs: of the network, each with a first axis of n examples.
          **arguments: of the network, beside those that the tap was made with.

        Raises:
          ValueError: a network of another library; a name or pattern of no layer.
        """
        return self._show(network, inputs, {**self._arguments, **arguments})

    def layers(self, network: Any, *inputs: Any, **arguments: Any) -> tuple[str, ...]:
        """The names of what the tap shows, without a computation; inputs may be `jax.ShapeDtypeStruct`s."""
        return tuple(jax.eval_shape(lambda given: self(network, *given, **arguments), inputs))

    def returned(self, network: Any, *inputs: Any, **arguments: Any) -> Shown:
        """Shapes of all that the network returns, "output" or "output.0", ..., without a computation."""
        alone = copy.copy(self)
        alone._patterns, alone._answer = (), None
        return jax.eval_shape(lambda given: alone(network, *given, **arguments), inputs)

    def answering(self, name: str) -> Self:
        """The same tap of a network of whose outputs one is the answer, comes last, and alone is shown by "auto"."""
        changed = copy.copy(self)
        changed._answer = name
        return changed

    @abc.abstractmethod
    def _show(self, network: Any, inputs: tuple, arguments: dict[str, Any]) -> Shown:
        """Runs the network of a library."""

    def _chosen(self, recorder: Recorder, inputs: tuple, *, has_examples: bool = True) -> Shown:
        arrays = [array for array in jax.tree.leaves(inputs) if is_array(array)]
        if not arrays or (has_examples and arrays[0].ndim == 0):
            raise ValueError("expected inputs [n, ...] for the network, got none")
        if self._answer is not None:
            recorder.set_answer(self._answer)
        entries = choose(recorder, self._patterns, arrays, arrays[0].shape[0] if has_examples else None)
        return collections.OrderedDict((entry.name, entry.value) for entry in entries)

    def __repr__(self) -> str:
        layers = AUTO if self._patterns == (AUTO,) else list(self._patterns)
        return f"{type(self).__name__}(layers={layers!r})"
