"""Arrays of equinox modules, and of their state."""

from typing import Any, cast

import equinox as eqx  # pyright: ignore[reportMissingImports] (an option)
import jax

from memorize_jax.taps.leaves import PARAMS, STATE, Leaf, Opened, module_name, path_parts

_is_index = lambda node: isinstance(node, eqx.nn.StateIndex)


def open_network(given: Any) -> Opened:
    """Opens a module of equinox, or (module, state); integers, keys and what an index of state holds are state."""
    model, state = given if isinstance(given, tuple) else (given, None)
    if state is not None and not isinstance(state, eqx.nn.State):
        raise ValueError(f"expected (module, state) with state an equinox.nn.State, got {type(state).__name__}")
    arrays, others = eqx.partition(model, eqx.is_array)
    found, treedef = jax.tree.flatten_with_path(arrays)
    indices = _indices(model)
    # A module not made by make_with_state has the first value of its state in itself.
    index_paths = {tuple(path) for path, _ in indices}
    leaves = [_leaf(path, value, index_paths) for path, value in found]
    stored = []
    for path, index in indices if state is not None else []:
        own, structure = jax.tree.flatten(cast(Any, state).get(index))
        names = [path[-1]] if len(own) == 1 else [f"{path[-1]}/{place}" for place in range(len(own))]
        leaves += [Leaf(STATE, module_name(path[:-1]), name, value) for name, value in zip(names, own, strict=True)]
        stored.append((index, structure, len(own)))

    def rebuild(values):
        rest = iter(values)
        network = eqx.combine(treedef.unflatten([next(rest) for _ in found]), others)
        if state is None:
            return network
        # A copy, for setting a state makes the one before it unusable.
        new = jax.tree.map(lambda leaf: leaf, state)
        for index, structure, count in stored:
            new = new.set(index, structure.unflatten([next(rest) for _ in range(count)]))
        return network, new

    return Opened(leaves, rebuild)


def _leaf(path, value, index_paths):
    parts = path_parts(path)
    for end in range(1, len(parts)):
        if tuple(parts[:end]) in index_paths:
            return Leaf(STATE, module_name(parts[: end - 1]), "/".join(parts[end - 1 :]), value)
    return Leaf(PARAMS if eqx.is_inexact_array(value) else STATE, module_name(parts[:-1]), parts[-1], value)


def _indices(model):
    """(keys that lead to it, index of state), each index once."""
    found, _ = jax.tree.flatten_with_path(model, is_leaf=_is_index)
    once = {index.marker: (path_parts(path), index) for path, index in reversed(found) if _is_index(index)}
    return list(reversed(once.values()))
