"""Variables of flax.nnx modules."""

from typing import Any

import jax
from flax import nnx

from memorize_jax.taps.leaves import PARAMS, STATE, Leaf, Opened, module_name


def open_network(model: nnx.Module) -> Opened:
    """Opens a module of flax.nnx; what is shared by several modules stands under the first of them."""
    graphdef, state = nnx.split(model)
    leaves: list[Leaf] = []
    places: list[tuple[tuple, Any, int]] = []
    for path, variable in nnx.to_flat_state(state):
        own, treedef = jax.tree.flatten(variable)
        kind = PARAMS if isinstance(variable, nnx.Param) else STATE
        names = [str(path[-1])] if len(own) == 1 else [f"{path[-1]}/{index}" for index in range(len(own))]
        leaves += [Leaf(kind, module_name(path[:-1]), name, value) for name, value in zip(names, own, strict=True)]
        places.append((path, treedef, len(own)))

    def rebuild(values):
        rest = iter(values)
        flat = [(path, treedef.unflatten([next(rest) for _ in range(count)])) for path, treedef, count in places]
        return nnx.merge(graphdef, nnx.from_flat_state(flat))

    return Opened(leaves, rebuild)
