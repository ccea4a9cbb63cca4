"""From the tensor of a layer to one row for each example: which of tokens, map positions and units are taken."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from memorize_jax.torch.library import torch
from memorize_jax.torch.outputs import remedy, tensor_of

POOLS = ("flatten", "mean", "cls", "last", "sample:N")
# Modules whose outputs have channels first, and those that have features last.
CHANNELS_FIRST = ("Conv", "BatchNorm", "InstanceNorm", "MaxPool", "AvgPool")
FEATURES_LAST = ("Linear", "LayerNorm", "RMSNorm", "Conv1D", "Embedding", "RNN", "LSTM", "GRU")

Pool = str | Callable


def check_pool(pool: Any) -> None:
    """Raises ValueError for what is no way of pooling."""
    if isinstance(pool, Mapping):
        for each in pool.values():
            if isinstance(each, Mapping):
                raise ValueError("expected a way of pooling for each pattern of layers, got a mapping in a mapping")
            check_pool(each)
        return
    sampled = isinstance(pool, str) and pool.startswith("sample:") and pool[7:].isdecimal() and int(pool[7:]) > 0
    if not (callable(pool) or sampled or pool in POOLS[:-1]):
        raise ValueError(
            f"expected pool to be one of {', '.join(POOLS)}, a function, or a mapping from patterns of "
            f"layers to these, got {pool!r}"
        )


def pooled(output: Any, name: str, pool: Pool, *, module: Any, mask: Any, seed: int, one_dimensional: bool) -> Any:
    """Takes what `pool` says from the output of one layer, [b, ...], b examples.

    Args:
      output: of the module, whatever it is; a function as `pool` is given it as it is.
      module: that it comes from: tells tokens [b, tokens, features] from channels [b, channels, length].
      mask: [b, tokens], True where a token is not padding, or None.
      seed: of the units that "sample:N" chooses.
      one_dimensional: whether the network has convolutions over a sequence.

    Raises:
      ValueError: an output that the way of pooling does not fit, naming the layer.
    """
    if callable(pool):
        found = pool(output)
        if not isinstance(found, torch.Tensor):
            raise ValueError(
                f"layer {name!r}: expected a tensor [b, ...] from its pool function, got {type(found).__name__}"
            )
        return found.detach()
    tensor = tensor_of(output, name)
    if tensor.ndim < 2:
        raise ValueError(
            f"layer {name!r} returns {list(tensor.shape)}, not [b, ...] for b examples; choose another layer"
        )
    is_tokens = tensor.ndim == 3
    if pool == "flatten" or pool.startswith("sample:"):
        if is_tokens and mask is not None and mask.shape == tensor.shape[:2] and not mask.all():
            raise ValueError(
                f"layer {name!r}: pool={pool!r} would take padded tokens as features; pool='mean', 'last' "
                "and 'cls' leave them out"
            )
        return tensor if pool == "flatten" else _sampled(tensor, int(pool[7:]), seed)
    if tensor.ndim == 2:
        return tensor
    if is_tokens:
        _check_tokens(tensor, name, module, one_dimensional)
        return _token(tensor, name, pool, mask)
    if pool != "mean":
        raise ValueError(
            f"layer {name!r} returns a map {list(tensor.shape)}, which has no tokens; take pool='mean' or "
            f"'flatten' for it, as in pool={{{name!r}: 'mean'}}"
        )
    _check_map(tensor, name, module)
    return _wide(tensor).flatten(2).mean(2)


def _token(tensor, name, pool, mask):
    """[b, tokens, features] -> [b, features], without padding."""
    if mask is None:
        mask = torch.ones(tensor.shape[:2], dtype=torch.bool)
    elif mask.shape != tensor.shape[:2]:
        raise ValueError(
            f"layer {name!r} returns {list(tensor.shape)}, which does not fit attention_mask "
            f"{list(mask.shape)}; {remedy(name, '[b, features]')}"
        )
    mask = mask.to(tensor.device)
    if not (there := mask.any(1)).all():
        row = int((~there).int().argmax())
        raise ValueError(
            f"layer {name!r}: example {row} of a batch has an attention_mask without any token; leave it out"
        )
    if pool == "mean":
        # Not a product: NaN of a padded token times 0 is NaN.
        return torch.where(mask[:, :, None], _wide(tensor), 0.0).sum(1) / mask.sum(1)[:, None]
    places = torch.arange(mask.shape[1], device=mask.device).expand(mask.shape)
    chosen = (
        torch.where(mask, places, -1).amax(1) if pool == "last" else torch.where(mask, places, len(places[0])).amin(1)
    )
    return tensor[torch.arange(len(tensor), device=tensor.device), chosen]


def _wide(tensor):
    """A mean of float16 would lose digits."""
    return tensor if tensor.dtype is torch.float64 else tensor.float()


def _sampled(tensor, number, seed):
    flat = tensor.flatten(1)
    return flat[:, torch.from_numpy(units(flat.shape[1], number, seed)).to(flat.device)]


def units(num_units: int, number: int, seed: int) -> np.ndarray:
    """The units that "sample:N" takes, in order, as `memorize_jax.analyze` does; all, if there are no more than N."""
    return np.sort(np.random.default_rng(seed).permutation(num_units)[:number])


def may_have_channels_first(num_axes: int, module: Any, one_dimensional: bool) -> bool:
    """Whether an output with so many axes may be [b, channels, ...], as far as its module tells."""
    is_map = num_axes > 3 or (num_axes == 3 and one_dimensional)
    return is_map and (_has(module, CHANNELS_FIRST) or not _has(module, FEATURES_LAST))


def _check_tokens(tensor, name, module, one_dimensional):
    if may_have_channels_first(tensor.ndim, module, one_dimensional):
        raise ValueError(
            f"layer {name!r} returns {list(tensor.shape)}, which may be [b, channels, length] or [b, tokens, "
            f"features]; {remedy(name, '[b, features], such as lambda x: x.mean(2),')}"
        )


def _check_map(tensor, name, module):
    looks_last = tensor.shape[1] == tensor.shape[2] != tensor.shape[-1]
    if looks_last or not may_have_channels_first(tensor.ndim, module, False):
        raise ValueError(
            f"layer {name!r} returns {list(tensor.shape)}, which looks like channels last, and pool='mean' "
            f"takes channels first; {remedy(name, '[b, channels], such as lambda x: x.mean((1, 2)),')}"
        )


def _has(module, kinds):
    """Whether the module or a part of it is of such a kind, by the names of classes."""
    named = {type(each).__name__ for each in module.modules()}
    return any(any(kind in name if kind != "Conv" else _is_convolution(name) for kind in kinds) for name in named)


def _is_convolution(name):
    # Conv1D of GPT-2 is a linear layer.
    return "Conv" in name and "Conv1D" not in name


def has_sequence_convolutions(model: Any) -> bool:
    """Whether a 3-d tensor in the network may be [b, channels, length]."""
    ones = (torch.nn.Conv1d, torch.nn.ConvTranspose1d, torch.nn.BatchNorm1d, torch.nn.MaxPool1d, torch.nn.AvgPool1d)
    return any(isinstance(each, (*ones, torch.nn.AdaptiveAvgPool1d)) for each in model.modules())
