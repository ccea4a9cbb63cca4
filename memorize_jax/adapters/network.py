"""What measurements need to know of a network, whatever library it is written in."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped


@dataclasses.dataclass(frozen=True, eq=False)
class WatchedNetwork:
    """A network of any library: taken apart into arrays, put together again, and read layer by layer.

    It stands where a flax module stands: `apply` is called in the same way.

    Attributes:
      library: "torch", "nnx", "equinox", "linen", "haiku", or "function".
      layers: name of an analyzed layer -> names of the modules that make its representation out of those before it; in
        order, and the last gives the answer, one number for each class.
      split: parameters or a model -> {"params": {module: {leaf: array}}, "batch_stats": likewise}.
      merge: (variables, a network to put them into, by default one like that which was adapted) -> the network.
      show: (variables as `split` gives them, inputs [n, ...]) -> layer -> its activations [n, ...]; works inside jit.
      program: MODULE:NAME of a function that makes the network, for other processes; None if none was named.
      state: name of an analyzed layer -> names of the modules of it that hold state alone, as BatchNorm without scale
        and offset its running statistics; those with parameters are in `layers`.
      itself: (a network as it is trained, inputs) -> as `show` does, at least the last layer, by that network itself,
        which is not changed; None where what is shown is a function of the variables alone.
    """

    library: str
    layers: Mapping[str, tuple[str, ...]]
    split: Callable[[Any], dict]
    merge: Callable[..., Any]
    show: Callable[[dict, Any], dict[str, Any]]
    program: str | None = None
    state: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    itself: Callable[[Any, Any], Mapping[str, Any]] | None = None

    def apply(
        self,
        variables: dict,
        inputs: Shaped[Array | np.ndarray, "n ..."],
        *,
        train: bool = False,
        mutable: Sequence[str] | None = None,
    ) -> Any:
        """The answers [n, num_classes]; with `mutable` also what the layers show, as a flax module that sows gives it.

        Raises ValueError if it is asked to train, which only its own program does.
        """
        if train:
            raise ValueError(f"expected a network of this package to be trained, got one of {self.library}")
        shown = self.show(variables, inputs)
        answers = self._answers_in(shown)
        if mutable is None:
            return answers
        return answers, {"intermediates": {f"{name}_out": (value,) for name, value in shown.items()}}

    def answers(self, variables: dict, inputs: Any) -> dict[str, Float[Array, "n num_classes"]]:
        """The answers, as a reader of `activations` gives a layer."""
        return {ANSWERS: self.apply(variables, inputs)}

    def own_answers(self, model: Any, inputs: Any) -> Float[Array, "n num_classes"] | None:
        """The answers of a network as it is trained, by itself; None where its variables alone decide them."""
        return None if self.itself is None else self._answers_in(self.itself(model, inputs))

    def _answers_in(self, shown):
        *_, last = self.layers
        return jnp.asarray(shown[last], jnp.float32)

    def noted(self) -> dict:
        """What a run notes of it in its config.json."""
        layers = {name: list(modules) for name, modules in self.layers.items()}
        return {"library": self.library, "layers": layers, "program": self.program}


ANSWERS = "answers"
# Relative to the largest answer: more than half precision rounds, less than dropout or statistics of a batch change.
SAME = 0.03
# What measurements read.
AnyNetwork = nn.Module | WatchedNetwork


def modules_of_layers(
    order: Sequence[str], layers: Sequence[str], holders: Sequence[str], separator: str
) -> dict[str, tuple[str, ...]]:
    """Says which modules with parameters make which analyzed layer.

    A module inside of a layer belongs to it; any other belongs to the first layer that is finished after it, and one
    that comes after all layers, or is never called, to the last.

    Args:
      order: names of all modules, in the order in which they are finished.
      layers: names of the analyzed ones, in order.
      holders: names of the modules that hold parameters.
      separator: between the names of a module and of one inside of it.
    """
    place = {name: at for at, name in reversed(list(enumerate(order)))}
    found: dict[str, list[str]] = {name: [] for name in layers}
    for holder in holders:
        inside = [name for name in layers if holder == name or holder.startswith(f"{name}{separator}")]
        after = [name for name in layers if place.get(name, -1) >= place.get(holder, len(order))]
        # The innermost, where analyzed layers lie in one another.
        found[max(inside, key=len) if inside else (after or [layers[-1]])[0]].append(holder)
    return {name: tuple(own) for name, own in found.items()}


def holders_of_state(variables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Names the modules without parameters that hold numbers which evaluation reads: no counts, no random keys.

    Args:
      variables: {"params": {module: {leaf: array}}, and likewise what is not trained by gradients}.
    """
    params, (state,) = variables["params"], (part for kind, part in variables.items() if kind != "params")
    has_numbers = lambda own: any(jnp.issubdtype(leaf.dtype, jnp.inexact) for leaf in own.values())
    return [module for module, own in state.items() if not params.get(module) and has_numbers(own)]


def check_evaluates(network: WatchedNetwork, model: Any, sample: Any) -> None:
    """Raises ValueError unless a network answers a few inputs alike together and one by one, as in evaluation mode."""
    variables = network.split(model)
    together = np.asarray(network.apply(variables, sample))
    alone = np.concatenate([np.asarray(network.apply(variables, sample[at : at + 1])) for at in range(len(sample))])
    difference = _difference(together, alone)
    if difference is not None:
        raise ValueError(
            "expected answers that do not depend on the other examples of a batch, got a difference of "
            f"{difference:.2g}: the network draws random numbers or takes statistics of the batch, as in training; "
            "give Watch a network that evaluates (train=False, model.eval())"
        )


def check_unchanged(network: WatchedNetwork, model: Any, variables: dict, sample: Any) -> None:
    """Raises ValueError unless a network answers a few inputs as its parameters and buffers say.

    What is evaluated later is the network that was seen first, with these: an attribute that training changes since
    would stay as it was.
    """
    own = network.own_answers(model, sample)
    if own is None:
        return
    difference = _difference(np.asarray(network.apply(variables, sample)), np.asarray(own))
    if difference is not None:
        raise ValueError(
            "expected answers that depend on parameters and buffers alone, got a difference of "
            f"{difference:.2g} to those of the network given: something of it that is neither, which is not stored (an "
            "attribute, a static field, a buffer with persistent=False), has changed since Watch saw it first; make it "
            "a buffer or a variable, or keep it as it is"
        )


def _difference(one: np.ndarray, other: np.ndarray) -> float | None:
    """How far answers are apart, if more than rounding makes."""
    # Of a network that diverged, which is refused by its loss.
    with np.errstate(invalid="ignore"):
        difference = abs(one - other).max()
    return float(difference) if difference > SAME * (abs(one).max() + abs(other).max()) else None
