"""Programs that are run a few times: compiled in less time."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from memorize_jax.geometry.points import is_concrete

# A third of the time for compilation goes into what makes these programs a sixth faster, or no faster at all.
ON_PROCESSOR = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}


def jit(function: Callable, **options: Any) -> Any:
    """`jax.jit` that compiles quickly where it is called by itself; in other programs it is the plain one."""
    plain: Any = jax.jit(function, **options)
    # Made when it is first called: which options there are is asked of the compiler.
    quick: Any = functools.cache(lambda: jax.jit(function, **options, compiler_options=known_options()))

    @functools.wraps(function)
    def call(*args, **kwargs):
        # Options are of a whole program. Inside of another one even a constant is traced.
        alone = all(map(is_concrete, jax.tree.leaves((args, kwargs, jnp.zeros(())))))
        return (quick() if alone and jax.default_backend() == "cpu" else plain)(*args, **kwargs)

    count: Any = call
    count._cache_size = lambda: plain._cache_size() + quick()._cache_size()
    return call


@functools.cache
def known_options() -> dict[str, Any]:
    """Those of `ON_PROCESSOR` that this version of XLA has: it refuses a program with any other."""
    known = {}
    for name, value in ON_PROCESSOR.items():
        try:
            jax.jit(lambda: jnp.int32(0), compiler_options={name: value}).lower().compile()
        except jax.errors.JaxRuntimeError:
            continue
        known[name] = value
    return known
