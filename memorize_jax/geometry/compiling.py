"""Programs that are run a few times: compiled in less time."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from memorize_jax.geometry.points import is_concrete

# LLVM spends a quarter of the time for compilation on what these programs do not run faster by.
OPTIONS = {"cpu": {"xla_backend_optimization_level": 1}}


def jit(function: Callable, **options) -> Callable:
    """`jax.jit` that compiles quickly where it is called by itself; in other programs it is the plain one."""
    plain = jax.jit(function, **options)

    @functools.cache
    def quick(backend):
        return jax.jit(function, **options, compiler_options=OPTIONS[backend])

    @functools.wraps(function)
    def call(*args, **kwargs):
        backend = jax.default_backend()
        # Options are of a whole program. Inside of another one even a constant is traced.
        alone = backend in OPTIONS and all(map(is_concrete, jax.tree.leaves((args, kwargs, jnp.zeros(())))))
        return (quick(backend) if alone else plain)(*args, **kwargs)

    return call
