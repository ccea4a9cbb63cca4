"""A network of somebody's: unwrapped or refused, looked at without leaving a trace."""

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from memorize_jax.torch.library import torch

# Classes whose parts cannot be hooked, by name so that nothing is imported for it -> what to do instead.
REFUSED = {
    "FullyShardedDataParallel": "it holds pieces of parameters; gather them into the plain model first",
    "FSDPModule": "it holds pieces of parameters; gather them into the plain model first",
    "ScriptModule": "hooks do not see into TorchScript; give the model it was made from",
    "GraphModule": "its modules are not those of the model it was traced from; give that model",
}
WRAPPERS = {"DataParallel": "module", "DistributedDataParallel": "module", "OptimizedModule": "_orig_mod"}


def unwrapped(model: Any) -> Any:
    """The model inside of DataParallel, DistributedDataParallel or torch.compile.

    Raises:
      ValueError: what is no torch.nn.Module, is of a kind that hooks do not see into, has compiled parts, or holds no
        numbers yet.
    """
    if not isinstance(model, torch.nn.Module):
        raise ValueError(f"expected a torch.nn.Module as model, got {type(model).__name__}")
    while (inner := WRAPPERS.get(type(model).__name__)) and hasattr(model, inner):
        model = getattr(model, inner)
    for name, module in model.named_modules():
        called = f"module {name!r}" if name else "the model"
        kinds = {kind.__name__ for kind in type(module).__mro__}
        if known := kinds & REFUSED.keys():
            kind = min(known)
            raise ValueError(f"{called} is a {kind}: {REFUSED[kind]}")
        if "OptimizedModule" in kinds or getattr(module, "_compiled_call_impl", None) is not None:
            raise ValueError(f"{called} is compiled, and hooks do not see into it; extract before torch.compile")
    unfilled = [name for name, tensor in model.named_parameters() if tensor.device.type == "meta"]
    if unfilled:
        raise ValueError(f"parameter {unfilled[0]!r} holds no numbers (device meta); load the weights first")
    return model


def input_device(model: Any, device: Any) -> Any:
    """Where inputs go: to the first parameter, unless `device` says otherwise; ValueError if no parameter is there."""
    there = list(dict.fromkeys(parameter.device for parameter in model.parameters()))
    if device is None:
        return there[0] if there else torch.device("cpu")
    asked = torch.device(device)
    fits = [own for own in there if own.type == asked.type and asked.index in (None, own.index)]
    if there and not fits:
        raise ValueError(
            f"expected a device that the model is on, {', '.join(map(str, there))}, got {asked}; move the "
            "model there first"
        )
    return fits[0] if fits else asked


def input_dtype(model: Any) -> Any:
    """The floating dtype that all parameters have, or None."""
    found = {parameter.dtype for parameter in model.parameters() if parameter.is_floating_point()}
    return found.pop() if len(found) == 1 else None


@contextlib.contextmanager
def at_rest(model: Any) -> Iterator[None]:
    """Evaluation mode without gradients; afterward every module is in the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


class RandomNumbers:
    """Random numbers of one's own inside of `with`, as often as it is entered; outside all generators go on as before.

    Shuffling and augmentation draw from the generators of PyTorch, NumPy and Python.
    """

    def __init__(self, model, generator=None):
        devices = {parameter.device for parameter in model.parameters()}
        self._cuda = sorted((each for each in devices if each.type == "cuda"), key=str)
        self._generator = generator if isinstance(generator, torch.Generator) else None
        self._own = None

    def _get(self):
        given = None if self._generator is None else self._generator.get_state()
        cuda = [torch.cuda.get_rng_state(device) for device in self._cuda]
        return torch.get_rng_state(), given, cuda, random.getstate(), np.random.get_state()

    def _set(self, state):
        own, given, cuda, python, numpy = state
        torch.set_rng_state(own)
        if self._generator is not None:
            self._generator.set_state(given)
        for device, one in zip(self._cuda, cuda, strict=True):
            torch.cuda.set_rng_state(one, device)
        random.setstate(python)
        np.random.set_state(numpy)

    def __enter__(self):
        self._outer = self._get()
        if self._own is not None:
            self._set(self._own)

    def __exit__(self, *_):
        self._own = self._get()
        self._set(self._outer)
