"""Operations and bytes that the roofline counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import printed
from benchmarks.lowered import networks
from benchmarks.lowered.cost import cost_of
from benchmarks.lowered.loops import count_rounds
from benchmarks.lowered.program import TINY, array
from benchmarks.machines import MACHINES, least_seconds, machine_of
from memorize_jax import models


def until(limit):
    """Counts to a limit, by a loop whose rounds data decide."""
    return jax.lax.while_loop(lambda x: x < limit, lambda x: x + jnp.sum(jnp.ones((3, 4)) @ jnp.ones((4, 5))) / 60, 0.0)


def test_a_training_step_has_the_operations_that_xla_counts():
    program = networks.training(TINY._replace(width=64, image=(8, 8, 1), batch=128))[0]
    cost = cost_of(program.call, *program.arguments, platform="cpu")
    counted = program.traced().lower().cost_analysis()["flops"]
    assert cost.products + cost.others == pytest.approx(counted, rel=0.03)
    # Parameters, their gradients' moments and the network after the step.
    assert cost.outside > 6 * sum(leaf.size * 4 for leaf in jax.tree.leaves(program.arguments[0].params))


def test_a_network_has_the_multiply_adds_that_the_paper_prints():
    model = models.create("vgg16", num_classes=100)
    variables = jax.eval_shape(model.init, jax.random.key(0), array(1, 32, 32, 3))
    cost = cost_of(model.apply, variables, array(3, 32, 32, 3), platform="tpu")
    assert cost.products == 3 * 2 * printed.vgg16()[1]
    assert cost.calls == 16


def test_loops_count_as_often_as_they_go_round():
    product = lambda x: x @ jnp.ones((4, 4))
    scanned = lambda x: jax.lax.scan(lambda own, _: (product(own), None), x, None, length=7)[0]
    assert cost_of(scanned, array(2, 4), platform="tpu").products == 7 * 2 * 2 * 4 * 4
    summed = lambda x: jax.lax.fori_loop(0, 9, lambda _, own: own + 1, x)
    assert cost_of(summed, array(3), platform="tpu")[:2] + cost_of(summed, array(3), platform="tpu")[4:] == (0, 36, 9)
    rounds = count_rounds(until, 10.0, platform="tpu")
    assert list(rounds.values()) == [10]
    cost = cost_of(until, 10.0, platform="tpu", rounds=rounds)
    assert (cost.products, cost.calls) == (10 * 2 * 3 * 4 * 5, 10)
    several = lambda limits: jax.lax.map(until, limits)
    assert list(count_rounds(several, np.float32([1, 2, 5]), platform="tpu").values()) == [8]
    together = jax.vmap(until)
    assert list(count_rounds(together, np.float32([1, 2, 5]), platform="tpu").values()) == [5]
    nested = lambda limit: jax.lax.while_loop(lambda x: x < limit, lambda x: x + jax.jit(until)(3.0) / 3, 0.0)
    assert sorted(count_rounds(nested, 2.0, platform="tpu").values()) == [2, 6]
    with pytest.raises(ValueError, match="expected the rounds of 1 loops that data end, got none"):
        cost_of(until, 10.0, platform="tpu")


def test_only_the_branch_of_the_platform_counts():
    small = lambda x: jnp.sum(jnp.ones((2, 2)) @ jnp.ones((2, 2))) + x
    chosen = lambda x: jax.lax.platform_dependent(x, cpu=until, default=small)
    assert cost_of(chosen, 3.0, platform="tpu").products == 16
    assert list(count_rounds(chosen, 3.0, platform="cpu").values()) == [3]
    assert count_rounds(chosen, 3.0, platform="tpu") == {}
    by_data = lambda x: jax.lax.cond(x > 0, small, lambda x: x, x)
    assert cost_of(by_data, 3.0, platform="tpu").products == 16


def test_the_roofline_is_the_slowest_of_three():
    of_name = {machine.name: machine for machine in MACHINES}
    assert least_seconds(67e12, 0, 0, of_name["H100"], "float32") == 1
    assert least_seconds(67e12, 0, 0, of_name["H100"], "bfloat16") == pytest.approx(67 / 989.5)
    assert least_seconds(0, 134e12, 0, of_name["H200"], "bfloat16") == 2
    assert least_seconds(1, 1, 2 * 819e9, of_name["v5e"], "bfloat16") == 2
    assert least_seconds(1, 1, 1, of_name["v5e"], "tf32") is None
    assert machine_of("NVIDIA H100 80GB HBM3") == of_name["H100"]
    assert machine_of("AMD EPYC") is None
