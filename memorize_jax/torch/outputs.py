"""What a module returns, and the one tensor in it that stands for its layer."""

from collections.abc import Mapping
from typing import Any

from memorize_jax.torch.library import torch


def tensor_of(output: Any, name: str) -> Any:
    """Finds the representation in the output of a module.

    A tensor is it. Of a mapping, such as ModelOutput of Hugging Face, it is `last_hidden_state`, or else the only
    tensor. Of a tuple or list, such as (hidden states, attention weights), it is the first entry, if that is a tensor
    and no other entry has its shape.

    Raises:
      ValueError: anything else, naming the layer; a tensor that is sparse, nested or complex.
    """
    found = _found(output, name)
    if found.is_nested:
        raise ValueError(
            f"layer {name!r} returns a nested tensor; build its TransformerEncoder with enable_nested_tensor=False"
        )
    if found.layout is not torch.strided or found.is_complex() or found.is_quantized:
        kind = "complex" if found.is_complex() else "quantized" if found.is_quantized else str(found.layout)
        raise ValueError(f"layer {name!r} returns a {kind} tensor; {remedy(name, 'a dense tensor of real numbers')}")
    return found.detach()


def tensors_of(output: Any, name: str) -> dict[str, Any]:
    """All tensors in the output of a module: under "name", or "name.0", "name.logits" where there are several."""
    found = dict(_entries(output, name))
    return {name: next(iter(found.values()))} if len(found) == 1 else found


def _entries(output, name):
    if isinstance(output, torch.Tensor):
        yield name, output
    elif isinstance(output, (Mapping, tuple, list)):
        keys = getattr(output, "_fields", range(len(output)))
        named = output.items() if isinstance(output, Mapping) else zip(keys, output, strict=True)
        for key, value in named:
            yield from _entries(value, f"{name}.{key}")


def tensor_in(output: Any) -> Any:
    """The same tensor as the module returned it, or None where there is no such one."""
    try:
        return _found(output, "")
    except ValueError:
        return None


def remedy(name: str, what: str) -> str:
    """The way out that always works: a function of one's own."""
    return f"pool={{{name!r}: function}} with a function from its output to {what} says what to take"


def _found(output, name):
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, Mapping):
        tensors = {key: value for key, value in output.items() if isinstance(value, torch.Tensor)}
        if "last_hidden_state" in tensors:
            return tensors["last_hidden_state"]
        if len(tensors) == 1:
            return next(iter(tensors.values()))
        raise ValueError(
            f"layer {name!r} returns a mapping with {len(tensors)} tensors ({', '.join(output)}); "
            f"{remedy(name, 'one tensor [b, ...]')}"
        )
    if isinstance(output, (tuple, list)):
        if output and isinstance(output[0], torch.Tensor):
            same = [index for index, each in enumerate(output[1:], 1) if _has_shape(each, output[0].shape)]
            if not same:
                return output[0]
            raise ValueError(
                f"layer {name!r} returns a {type(output).__name__} whose entries 0 and {same[0]} are both "
                f"{list(output[0].shape)}; {remedy(name, 'one tensor [b, ...]')}"
            )
        raise ValueError(
            f"layer {name!r} returns a {type(output).__name__} that does not begin with a tensor; "
            f"{remedy(name, 'one tensor [b, ...]')}"
        )
    raise ValueError(f"layer {name!r} returns {type(output).__name__}, no tensor; choose another layer")


def _has_shape(value, shape):
    return isinstance(value, torch.Tensor) and value.shape == shape
