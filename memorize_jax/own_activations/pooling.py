"""How the tokens or the map positions of a layer become one vector for each example."""

import fnmatch
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Shaped

POOLS = ("flatten", "mean", "cls", "last", "sample:NUMBER")
Tokens = Bool[np.ndarray, "n tokens"] | None


def pools_of(pool: str | Mapping[str, str], layers: Collection[str]) -> dict[str, str]:
    """Says for every layer how it is pooled.

    Args:
      pool: for all layers, or name or pattern ("conv*") -> pool. A name goes before patterns, and these in their order;
        layers that none of them is for are flattened.

    Raises:
      ValueError: an unknown pool, a name or pattern that no layer has.
    """
    asked = dict(pool) if isinstance(pool, Mapping) else {"*": pool}
    for pattern, own in asked.items():
        kind, _, number = str(own).partition(":")
        is_known = kind == "sample" and number.isdecimal() and int(number) > 0 if number else own in POOLS[:-1]
        if not is_known:
            raise ValueError(f"expected pool to be one of {', '.join(POOLS)}, got {own!r} for layers {pattern!r}")
        if not any(fnmatch.fnmatchcase(name, pattern) for name in layers) and pattern not in layers:
            raise ValueError(f"expected pool for layers out of {', '.join(layers)}, got {pattern!r}")
    found = {}
    for name in layers:
        patterns = [pattern for pattern in asked if fnmatch.fnmatchcase(name, pattern)]
        found[name] = asked[name] if name in asked else asked[patterns[0]] if patterns else "flatten"
    return found


def pool_units(
    values: Shaped[np.ndarray, "n ..."],
    pool: str,
    name: str,
    *,
    seed: int = 0,
    channels_first: bool = False,
    tokens: Tokens = None,
) -> Shaped[np.ndarray, "n _"]:
    """Makes one vector of each example of a layer.

    Args:
      values: [n, ...]; with an axis of tokens [n, tokens, features], with maps [n, ..., channels]. In [n, features]
        there is nothing to pool: "mean", "cls" and "last" leave it as it is.
      pool: "flatten", all units; "mean", over tokens or map positions; "cls", the first token; "last", the last one;
        "sample:4096", so many units at random, the same of all examples; all, if there are no more.
      name: of the layer, for errors.
      seed: of the units.
      channels_first: maps are [n, channels, ...], as in PyTorch.
      tokens: which tokens are no padding; "mean", "cls" and "last" are then of these.

    Raises:
      ValueError: a pool for axes that the layer does not have.
    """
    if pool == "flatten" or pool.startswith("sample:"):
        if tokens is not None and tokens.shape == values.shape[:2] and values.ndim == 3 and not tokens.all():
            advice = f"pool={{{name!r}: 'mean'}}, 'last' or 'cls' leaves them out"
            raise ValueError(f"layer {name!r}: pool {pool!r} would take padded tokens as features; {advice}")
        flat = values.reshape(len(values), -1)
        if pool == "flatten":
            return flat
        chosen = np.random.default_rng(seed).permutation(flat.shape[1])[: int(pool.partition(":")[2])]
        return flat[:, np.sort(chosen)]
    if values.ndim == 2:
        return values
    if values.ndim > 3:
        _check_map(values, pool, name, channels_first)
        return _mean(values, tuple(range(2, values.ndim) if channels_first else range(1, values.ndim - 1)))
    if tokens is None:
        return _mean(values, (1,)) if pool == "mean" else values[:, 0 if pool == "cls" else -1]
    if tokens.shape != values.shape[:2]:
        raise ValueError(f"expected tokens {list(values.shape[:2])} for layer {name!r}, got {list(tokens.shape)}")
    if pool == "mean":
        return _mean(values, (1,), np.broadcast_to(tokens[..., None], values.shape))
    first, behind = np.argmax(tokens, axis=1), np.argmax(tokens[:, ::-1], axis=1)
    return values[np.arange(len(values)), first if pool == "cls" else tokens.shape[1] - 1 - behind]


def _check_map(values, pool, name, channels_first):
    """Refuses pools of tokens, and maps that look as if their channels were elsewhere: a mean would then be wrong."""
    if pool != "mean":
        raise ValueError(
            f"expected tokens [n, tokens, features] of layer {name!r} for pool {pool!r}, got {values.shape}; "
            f"pool={{{name!r}: 'mean', '*': {pool!r}}} takes the mean over positions"
        )
    of_map, channels = (values.shape[1:-1], values.shape[-1]) if channels_first else (values.shape[2:], values.shape[1])
    if len(set(of_map)) == 1 and of_map[0] != channels:
        here, there = ("first", "last") if channels_first else ("last", "first")
        axes = tuple(range(1, values.ndim - 1) if channels_first else range(2, values.ndim))
        raise ValueError(
            f"expected channels {here} in layer {name!r} for pool 'mean', got {values.shape}, which looks like "
            f"channels {there}; values.mean({axes}) takes those"
        )


def _mean(values, axes, where: Any = True):
    """Mean in float64, as float32 unless the values are finer."""
    means = np.asarray(np.mean(values, axis=axes, dtype=np.float64, where=where))
    return means if values.dtype.itemsize > 4 else means.astype(np.float32)


def read_tokens(tokens: Any, count: int, is_asked: Bool[np.ndarray, " n"] | None = None) -> Tokens:
    """Reads which tokens are no padding, [n, tokens] of truth values or of 0 and 1, as an attention mask has them.

    Args:
      is_asked: which examples take part; all unless given. Tokens of the others may all be padding.

    Raises:
      ValueError: other values or another number of examples; an example that takes part without tokens.
    """
    if tokens is None:
        return None
    array = np.asarray(tokens.detach().cpu() if hasattr(tokens, "detach") else tokens)
    if array.ndim != 2 or len(array) != count or not np.isin(array, (0, 1)).all():
        raise ValueError(f"expected tokens [{count}, tokens] of truth values, got {array.dtype} {array.shape}")
    array = array.astype(bool)
    if is_asked is not None:
        # Whatever becomes of rows that nobody asked for, they are neither refused nor the mean of nothing.
        array[~is_asked] = True
    if not array.any(axis=1).all():
        raise ValueError(f"expected a token of every example, got none in row {np.argmin(array.any(axis=1))}")
    return array
