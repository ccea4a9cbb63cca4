"""The one call by which compiled programs get to the search for shared directions on the host."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from memorize_jax.geometry.center_search import MANY, NUM_RESTARTS, neighbor_distance
from memorize_jax.geometry.qp.callback import is_available
from memorize_jax.geometry.qp.foreign import register
from memorize_jax.geometry.remembered import Memory, key_of
from memorize_jax.threads import one_thread

# Of searches, those asked for last are kept up to this size: some layers come again.
REMEMBERED_BYTES = 2**25
_FORCED = Memory(REMEMBERED_BYTES)


def is_possible(num_manifolds: int, num_components: int | None) -> bool:
    """Whether directions of so many centers are searched on the host: on a processor, with numba, if any can be."""
    some = num_manifolds > 2 and num_components != 0
    return some and num_manifolds <= MANY and jax.default_backend() == "cpu" and is_available()


def search_on_host(
    gram: Float[Array, "P P"], key: PRNGKeyArray, *, min_components: int, neighbors: bool
) -> tuple[Any, ...]:
    """Chooses K and its directions: the fields of `centers.CenterStructure`; all layers of a vmap are one call."""
    num, dtype = len(gram), gram.dtype
    draws = jax.random.normal(key, (NUM_RESTARTS, num, num - 2), dtype)
    name = f"memorize_jax shared directions {min_components} {neighbors}"
    register(name, _searching(min_components))
    number, width = jax.ShapeDtypeStruct((), dtype), num - 2
    shapes = [jax.ShapeDtypeStruct(shape, dtype) for shape in ((num, width), (2 * neighbors, num, width))]
    shapes[1:1] = [jax.ShapeDtypeStruct((), jnp.int32), number, number, number]
    *found, beside = _call(name, shapes, gram, draws)
    return *found, beside if neighbors else None


def force_on_host(gram: Float[Array, "P P"], key: PRNGKeyArray, *, num_components: int) -> tuple[Any, ...]:
    """Finds the directions for one K; the fields of `centers.CenterStructure`, NaN beyond the rank."""
    num, dtype = len(gram), gram.dtype
    draws = jax.random.normal(key, (NUM_RESTARTS, num, num_components), dtype)
    name = "memorize_jax shared directions of one number"
    register(name, _force)
    number = jax.ShapeDtypeStruct((), dtype)
    directions, *numbers = _call(
        name, [jax.ShapeDtypeStruct((num, num_components), dtype), number, number, number], gram, draws
    )
    return directions, jnp.int32(num_components), *numbers, None


def _call(name, shapes, gram, draws):
    return jax.ffi.ffi_call(name, shapes, vmap_method="expand_dims")(jax.lax.stop_gradient(gram), draws)


# The same function for the same numbers, under one name.
@functools.cache
def _searching(min_components: int) -> Callable:
    remembered = Memory(REMEMBERED_BYTES)

    def search(gram, draws, coefficients, number, before, after, cost, beside):
        from memorize_jax.geometry import center_host

        run = functools.partial(center_host.search, min_components=min_components)
        distance = neighbor_distance(gram.shape[-1])
        coefficients[...], number[...], cost[...], beside[...] = 0, 0, np.nan, np.nan
        for place, centers, walk in _found_in_layers(gram, draws, before, after, run, remembered):
            after[place], cost[place], number[place] = walk.best.correlation, walk.best.cost, walk.number
            _write(centers, walk.best.directions, coefficients[place])
            for side in range(beside.shape[-3]):
                other = min(max(walk.number + distance * (2 * side - 1), 0), centers.bound)
                if other != walk.number:
                    _write(centers, walk.passed[other], beside[(*place, side)])

    return search


def _force(gram, draws, coefficients, before, after, cost):
    from memorize_jax.geometry import center_host

    coefficients[...], cost[...] = np.nan, np.nan
    for place, centers, found in _found_in_layers(gram, draws, before, after, center_host.forced, _FORCED):
        if coefficients.shape[-1] <= centers.bound:
            after[place], cost[place] = found.correlation, found.cost
            _write(centers, found.directions, coefficients[place])


def _write(centers, directions, coefficients):
    coefficients[...] = 0
    coefficients[:, : len(directions)] = centers.combinations @ directions.T


def _found_in_layers(gram, draws, before, after, run, remembered):
    """Place, centers, and what `run` finds, of each layer without NaN; the correlations are written, or NaN."""
    from memorize_jax.geometry.center_candidates import decompose, judged

    precision, num = float(np.finfo(gram.dtype).eps), gram.shape[-1]
    before[...], after[...] = np.nan, np.nan
    grams = np.broadcast_to(gram, (*before.shape, num, num)).astype(np.float64)
    draws = np.broadcast_to(draws, (*before.shape, *draws.shape[-3:])) if draws[..., 0, 0, 0].size > 1 else draws
    shared = draws[..., 0, 0, 0].size == 1
    places = [place for place in np.ndindex(before.shape) if np.all(np.isfinite(grams[place]))]
    keys = [key_of(np.array(precision), grams[place], draws if shared else draws[place]) for place in places]
    with one_thread():
        layers = [decompose(grams[place], precision) for place in places]
        for place, centers in zip(places, layers, strict=True):
            before[place] = judged(centers, np.zeros((0, num))).correlation
        if not layers:
            return []
        found = [remembered.find(key) for key in keys]
        missing = [number for number, one in enumerate(found) if one is None]
        if shared:
            # All at once, so that they share the cores.
            one_draws = draws.reshape(draws.shape[-3:]).astype(np.float64)
            anew = run([layers[number] for number in missing], one_draws) if missing else []
        else:
            anew = [run([layers[number]], draws[places[number]].astype(np.float64))[0] for number in missing]
    for number, one in zip(missing, anew, strict=True):
        found[number] = one
        remembered.keep(keys[number], one, sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(one)))
    return list(zip(places, layers, found, strict=True))
