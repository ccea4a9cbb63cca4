"""Batched ADMM for non-negative quadratic programs that share their quadratic part."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxopt import base

# Penalties relative to a unit diagonal, tried in turn: 1 suits manifolds with more features than examples, 0.3 the
# others (measured; docs/performance.md).
PENALTIES = (1.0, 0.3)
RELAXATION = 1.8
STEPS_PER_UPDATE = 25
UPDATES_PER_PENALTY = 8


class ADMMState(NamedTuple):
    """What the next update needs.

    Attributes:
      iter_num: int32, updates done.
      error: scalar, largest scaled KKT residual of the batch.
      dual: [n, M], scaled dual variables.
      inverses: [len(PENALTIES), M, M], (K + penalty I)^-1.
      which: int32, index of the penalty in use.
    """

    iter_num: jax.Array
    error: jax.Array
    dual: jax.Array
    inverses: jax.Array
    which: jax.Array


@dataclasses.dataclass(eq=False)
class NonnegativeADMM(base.IterativeSolver):
    """Solves min_{a >= 0} 1/2 a' K a - a' b for many b at once; K has a unit diagonal.

    Over-relaxed ADMM on the split a = z, z >= 0. One inverse serves the whole batch and an iteration is one matrix
    product, which suits CPU, GPU and TPU alike. One update is `STEPS_PER_UPDATE` iterations.

    Attributes:
      maxiter: most updates.
      tol: stop when the largest scaled residual |min(a, K a - b)| of the batch is below this.

    References:
      Boyd et al. 2011, Distributed optimization via ADMM, section 5.2 and 3.4.3.
    """

    maxiter: int = 160
    tol: float = 1e-6
    verbose: bool | int = False
    implicit_diff: bool = False
    jit: bool = True
    # Without this jaxopt unrolls the loop to `maxiter` whenever implicit differentiation is off.
    unroll: bool = False

    def init_state(self, init_params: jax.Array, gram: jax.Array, linear: jax.Array) -> ADMMState:
        """Factorises once. init_params: [n, M]; gram: [M, M]; linear: [n, M]."""
        eye = jnp.eye(gram.shape[0], dtype=gram.dtype)
        inverses = jnp.stack([jnp.linalg.inv(gram + penalty * eye) for penalty in PENALTIES])
        return ADMMState(
            iter_num=jnp.int32(0),
            error=jnp.asarray(jnp.inf, gram.dtype),
            dual=jnp.zeros_like(linear),
            inverses=inverses,
            which=jnp.int32(0),
        )

    def update(self, params: jax.Array, state: ADMMState, gram: jax.Array, linear: jax.Array) -> base.OptStep:
        """Does `STEPS_PER_UPDATE` iterations and measures the residual."""
        penalties = jnp.asarray(PENALTIES, gram.dtype)
        penalty, inverse = penalties[state.which], state.inverses[state.which]

        def step(_, carry):
            positive, dual = carry
            free = (linear + penalty * (positive - dual)) @ inverse
            relaxed = RELAXATION * free + (1 - RELAXATION) * positive
            projected = jnp.maximum(relaxed + dual, 0)
            return projected, relaxed + dual - projected

        positive, dual = jax.lax.fori_loop(0, STEPS_PER_UPDATE, step, (params, state.dual))
        error = jnp.max(jnp.abs(self.optimality_fun(positive, gram, linear)))
        iter_num = state.iter_num + 1
        which = (iter_num // UPDATES_PER_PENALTY) % len(PENALTIES)
        # The scaled dual is the multiplier divided by the penalty.
        dual = dual * (penalty / penalties[which])
        return base.OptStep(positive, ADMMState(iter_num, error, dual, state.inverses, which))

    def optimality_fun(self, params: jax.Array, gram: jax.Array, linear: jax.Array) -> jax.Array:
        """Zero at the solution: min(a, K a - b), [n, M]."""
        return jnp.minimum(params, params @ gram - linear)

    def __post_init__(self):
        super().__post_init__()
