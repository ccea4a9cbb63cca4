"""Which modules of a network are norms with running statistics, whatever library it is written in."""

from collections.abc import Collection, Iterable, Mapping

import jax.numpy as jnp
import numpy as np

# State of BatchNorm in equinox, which says not what is the mean; in versions up to 0.11 the last two together.
EQUINOX = ({"ema_state_index"}, {"batch_state_index"}, {"first_time_index", "state_index"})
# Of a norm "a", haiku holds the running mean and variance in modules of their own.
HAIKU = ("/~/mean_ema", "/~/var_ema")


def norm_modules(variables: Mapping[str, Mapping[str, Mapping]]) -> set[str]:
    """Names the modules that are norms with a running mean and variance, and those that hold these of one.

    A norm is told by its state, never by its name: statistics called mean and var (flax, PyTorch, haiku), or those of
    equinox's BatchNorm; and by scale and offset, which are vectors. One without running statistics is not among them.

    Args:
      variables: {"params": {module: {leaf: array}}, "batch_stats": the same of what is not trained by gradients}.
    """
    params, state = variables.get("params", {}), variables.get("batch_stats", {})
    found = {module: {module} for module, leaves in state.items() if _are_statistics(leaves)}
    mean, variance = HAIKU
    for norm in (module.removesuffix(mean) for module in state if module.endswith(mean)):
        if norm + variance in state:
            found[norm] = {norm, norm + mean, norm + variance}
    return {module for norm, held in found.items() if _are_vectors(params.get(norm, {})) for module in held}


def unknown_state(first: Mapping, second: Mapping, modules: Collection[str]) -> dict[str, list[str]]:
    """Names state that two networks differ in and that is not known to be a norm's: module -> names of its arrays.

    Args:
      first: params and batch_stats of a network.
      second: of another one of the same shape; only `modules` need be there.
      modules: those that are looked at.
    """
    norms, states = norm_modules(first), [one.get("batch_stats", {}) for one in (first, second)]
    both = [module for module in modules if module not in norms and all(module in state for state in states)]
    # Integers count, or are random keys: a network that is evaluated reads neither.
    differs = lambda one, other: jnp.issubdtype(np.asarray(one).dtype, jnp.inexact) and not np.array_equal(one, other)
    found = {
        module: [name for name, array in states[0][module].items() if differs(array, states[1][module][name])]
        for module in both
    }
    return {module: names for module, names in found.items() if names}


def _are_statistics(names: Iterable[str]) -> bool:
    last, first = ([name.split("/")[place] for name in names] for place in (-1, 0))
    has = lambda word: any(word in name for name in last)
    return (has("mean") and has("var")) or any(fields <= set(first) for fields in EQUINOX)


def _are_vectors(leaves: Mapping) -> bool:
    return all(sum(size > 1 for size in np.shape(leaf)) <= 1 for leaf in leaves.values())
