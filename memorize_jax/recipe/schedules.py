"""Schedules of the learning rate by name."""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from memorize_jax.recipe.names import call_own, check_name, guarded

# A number, or a function from the number of steps done to one.
Rate = float | Callable
# After these shares of the training a schedule of steps multiplies the rate by this factor (He et al. 2016, CIFAR-10).
STEPS_AT = (0.5, 0.75)
STEP_FACTOR = 0.1


def _constant(learning_rate: float, steps: int) -> Rate:
    del steps
    return learning_rate


def _cosine(learning_rate: float, steps: int) -> Rate:
    return optax.cosine_decay_schedule(learning_rate, steps)


def _step(learning_rate: float, steps: int) -> Rate:
    # Two bounds can be one in very short trainings: both factors count.
    factors: dict[int, float] = {}
    for share in STEPS_AT:
        # The first step that is not before that share.
        bound = math.ceil(share * steps)
        factors[bound] = factors.get(bound, 1.0) * STEP_FACTOR
    return optax.piecewise_constant_schedule(learning_rate, factors)


SCHEDULES: dict[str, Callable[[float, int], Rate]] = {"constant": _constant, "cosine": _cosine, "step": _step}


def check_schedule(name: str) -> None:
    """Raises ValueError, naming the valid ones, unless `name` is a schedule, or MODULE:NAME; imports nothing."""
    check_name("schedule", name, SCHEDULES)


def make_schedule(name: str, learning_rate: float, *, epochs: int, steps_per_epoch: int) -> Rate:
    """Makes the learning rate as a function of the number of steps done, k of K = epochs x steps_per_epoch.

        constant:  r
        cosine:    r (1 + cos(pi min(k, K) / K)) / 2                  (Loshchilov and Hutter 2017, eq. 5, to 0)
        step:      r until K / 2, r / 10 until 3 K / 4, then r / 100   (He et al. 2016)

    Args:
      name: one of `SCHEDULES`; or MODULE:NAME, a function of yours that takes by name learning_rate, steps (K) and
        steps_per_epoch, and returns an optax schedule: a function from k to the rate, which jax can trace.

    Returns:
      A number if it is constant, else the function.
    """
    check_schedule(name)
    steps = epochs * steps_per_epoch
    if name in SCHEDULES:
        return SCHEDULES[name](learning_rate, steps)
    made = call_own("schedule", name, learning_rate=learning_rate, steps=steps, steps_per_epoch=steps_per_epoch)
    if not callable(made):
        raise ValueError(f"schedule {name}: expected a function from the number of steps to a rate, got {made!r:.60}")
    found = guarded("schedule", name, functools.partial(jax.eval_shape, made), jax.ShapeDtypeStruct((), jnp.int32))
    if getattr(found, "shape", None) != () or not jnp.issubdtype(found.dtype, jnp.floating):
        raise ValueError(f"schedule {name}: expected one rate for a number of steps, got {found}")
    return made
