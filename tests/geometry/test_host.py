"""The host route: the same answers as the device's, in the same programs, with and without numba."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import nnls

from memorize_jax import geometry
from memorize_jax.geometry.joint.cone import project, root_of
from memorize_jax.geometry.options import GeometryOptions, joint_options
from memorize_jax.geometry.qp import callback
from memorize_jax.geometry.qp.solve import choose_solver, nonnegative_qp
from memorize_jax.geometry.theory.separability import separable_by_least_squares, separable_on_host
from tests import commands
from tests.geometry.shared import POINTS, measure

host = pytest.importorskip("memorize_jax.geometry.qp.host", reason="needs numba", exc_type=ImportError)
many_points = pytest.importorskip("memorize_jax.geometry.qp.many_points", reason="needs numba", exc_type=ImportError)
machine_code = pytest.importorskip("memorize_jax.geometry.machine_code", reason="needs numba", exc_type=ImportError)


def solve(rows, linear, signs, tol=1e-12, max_steps=1000, parts=1):
    """Weights [n, M] of signed programs with the Gram matrix of rows, in so many calls."""
    gram, weights = (rows @ rows.T)[None], np.empty_like(linear)
    bounds = np.linspace(0, len(linear), parts + 1).astype(int)
    for first, last in itertools.pairwise(bounds):
        host.solve_programs(gram, linear, signs, first, last, tol, 1e-11, max_steps, weights)
    return weights


def unit_rows(rng, *shape):
    rows = rng.standard_normal(shape)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# More points than features: dependent ones, of which some combination stands for many.
@pytest.mark.parametrize("num_features", [6, 40])
def test_signed_programs_equal_nonnegative_least_squares(num_features):
    rng = np.random.default_rng(0)
    rows, vectors = unit_rows(rng, 25, num_features), rng.standard_normal((30, num_features))
    rows[20:23] = rows[:3]
    signs = rng.choice([-1.0, 0.0, 1.0], (30, 25))
    found = solve(rows, vectors @ rows.T, signs)
    assert np.all(found * signs >= 0)
    assert np.all(found[signs == 0] == 0)
    expected = [nnls((own[:, None] * rows).T, v)[0] * own @ rows for own, v in zip(signs, vectors, strict=True)]
    np.testing.assert_allclose(found @ rows, expected, atol=1e-9)
    # However the programs are spread over threads.
    np.testing.assert_array_equal(found, solve(rows, vectors @ rows.T, signs, parts=7))


def test_programs_that_begin_with_the_solution_of_others_have_the_same_end():
    """Twice three Gram matrices of alike points: more points than features, fewer, and one of damaged points."""
    rng = np.random.default_rng(7)
    for num_features, damaged in ((6, False), (40, False), (40, True)):
        rows = unit_rows(rng, 25, num_features) + 0.1 * rng.standard_normal((2, 3, 25, num_features))
        rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
        grams, vectors = rows @ rows.swapaxes(2, 3), rng.standard_normal((2, 30, num_features))
        linears = np.einsum("kdn,kvmn->kvdm", vectors, rows)
        if damaged:
            grams[1, 1] = np.nan
        grams, linears, signs = grams.reshape(6, 25, 25), linears.reshape(180, 25), rng.choice([-1.0, 1.0], (180, 25))
        found = []
        for alike, parts in ((1, 1), (3, 1), (3, 7), (2, 5)):
            weights, bounds = np.empty_like(linears), np.linspace(0, 180 // alike, parts + 1).astype(int) * alike
            for first, last in itertools.pairwise(bounds):
                host.solve_programs(grams, linears, signs, first, last, 1e-12, 1e-11, 1000, weights, alike)
            found.append((weights.reshape(6, 30, 25) @ rows.reshape(6, 25, num_features)).reshape(180, -1))
        for other in found[1:]:
            np.testing.assert_allclose(other, found[0], atol=1e-9)
        # However the programs are spread over threads.
        np.testing.assert_array_equal(found[1], found[2])
        assert np.isnan(found[0][120:150]).all() == damaged
        assert np.isfinite(np.delete(found[1], range(120, 150), axis=0)).all()


def test_margins_of_dependent_points_are_met():
    """More constraints than dimensions, all active at once: points are exchanged for others."""
    rng = np.random.default_rng(1)
    rows = unit_rows(rng, 30, 3) + np.array([0, 0, 3])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors = rng.standard_normal((40, 3))
    linear = vectors @ rows.T + 0.5
    weights = solve(rows, linear, np.ones((1, 30)))
    slack = weights @ rows @ rows.T - linear
    assert np.abs(np.minimum(weights, slack)).max() < 1e-9


def test_many_active_points_are_guessed_and_exchanged(monkeypatch):
    """More programs than are solved together, with points left out, and dependent ones that are added one by one."""
    rng, called = np.random.default_rng(5), []
    monkeypatch.setattr(many_points, "FEW_ADDED", 10)
    solve_programs = host.solve_programs
    count = lambda *arguments: called.append(arguments[4] - arguments[3]) or solve_programs(*arguments)
    monkeypatch.setattr(host, "solve_programs", count)
    rows = unit_rows(rng, 2, 60, 80)
    rows[1, 30:] = rows[1, :30]
    values, vectors = np.linalg.eigh(rows @ rows.transpose(0, 2, 1))
    roots = vectors * np.sqrt(np.where(values > 1e-10, values, 0))[:, None]
    signs = rng.choice([-1.0, 0.0, 1.0], (80, 60), p=[0.45, 0.1, 0.45])
    vectors = rng.standard_normal((2, 40, 80))
    linears = (vectors @ rows.transpose(0, 2, 1)).reshape(80, 60)
    weights = np.empty_like(linears)
    many_points.solve_by_root(roots, linears, signs, 1e-9, host.LEAST_PIVOT, 700, 1e-12, weights)
    assert np.all(weights * signs >= 0)
    assert np.all(weights[signs == 0] == 0)
    found = (weights.reshape(2, 40, 60) @ rows).reshape(80, 80)
    for number in (0, 35, 41, 79):
        own = signs[number][:, None] * rows[number // 40]
        expected = nnls(own.T, vectors.reshape(80, 80)[number])[0] @ own
        np.testing.assert_allclose(found[number], expected, atol=1e-8)
    # Of the first Gram matrix only the program that is looked at, of the second also those of dependent points.
    assert called.count(1) >= 2
    alone = np.empty((1, 60))
    many_points.solve_by_root(roots[:1], linears[7:8], signs[7:8], 1e-9, host.LEAST_PIVOT, 700, 1e-12, alone)
    np.testing.assert_allclose(alone[0], weights[7], atol=1e-12)


@pytest.mark.parametrize("place", ["gram", "linear"])
def test_nan_stays_nan_and_the_others_are_solved(place):
    gram, linear = jnp.eye(30), jnp.ones((40, 30))
    damaged = (gram.at[2, 3].set(jnp.nan), linear) if place == "gram" else (gram, linear.at[4, 5].set(jnp.nan))
    found = nonnegative_qp(*damaged, solver="host")
    hit = np.ones(40, bool) if place == "gram" else np.arange(40) == 4
    assert np.all(np.isnan(found.residual) == hit)
    assert np.all(np.isnan(found.multipliers).all(axis=1) == hit)
    np.testing.assert_array_equal(found.multipliers[~hit], 1)


def test_steps_are_bounded_and_what_is_left_shows():
    rng = np.random.default_rng(2)
    frame = np.hstack([3 * unit_rows(rng, 30, 9), np.ones((30, 1))])
    draws = rng.standard_normal((40, 10))
    arguments = jnp.asarray(frame @ frame.T, jnp.float32), jnp.asarray(draws @ frame.T, jnp.float32)
    found = nonnegative_qp(*arguments, solver="host", maxiter=1)
    assert np.max(np.sum(found.multipliers > 0, axis=1)) == 1
    assert found.residual.max() > 0.1
    assert nonnegative_qp(*arguments, solver="host").residual.max() < 1e-5


@pytest.mark.parametrize("kappa", [0.3, pytest.param(0.0, marks=pytest.mark.slow)])
def test_mean_field_equals_that_of_the_device(x64, kappa):
    ours, theirs = (measure(POINTS, solver=solver, kappa=kappa) for solver in ("host", "active_set"))
    assert (bool(ours.on_host), bool(theirs.on_host)) == (True, False)
    for name in ("capacity", "radius", "dimension", "active_fraction"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-5, err_msg=name)
    assert ours.kkt_residual.max() < 1e-9


@pytest.mark.slow
def test_gradients_equal_those_of_the_device(x64):
    def gradients(solver):
        both = lambda points: (
            measure(points, solver=solver).capacity.sum()
            + geometry.joint_geometry(points, key=jax.random.key(0), num_draws=30, solver=solver).capacity
        )
        return jax.jit(jax.grad(both))(jnp.asarray(np.pad(POINTS, ((0, 0), (0, 0), (0, 20)))))

    np.testing.assert_allclose(gradients("host"), gradients("active_set"), atol=1e-5)


@pytest.mark.slow
def test_joint_geometry_equals_that_of_the_device(x64):
    points = np.random.default_rng(0).normal(size=(4, 6, 40)) + 2 * np.eye(4, 40)[:, None]
    run = functools.partial(geometry.joint_geometry, points, key=jax.random.key(0), num_draws=30)
    ours, theirs = (run(solver=solver) for solver in ("host", "admm"))
    assert (bool(ours.on_host), bool(theirs.on_host)) == (True, False)
    for name in ("capacity", "radius", "dimension", "utility", "class_capacity"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("double", [pytest.param(False, marks=pytest.mark.slow), True])
def test_margins_that_contradict_one_another_leave_fewer_classes(double):
    """Without a solution the squared length has no bound; a draw takes fewer classes then."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(4, 1, 8)) + rng.normal(size=(4, 12, 8))
    with jax.enable_x64(double):
        run = functools.partial(geometry.joint_geometry, points, key=jax.random.key(0), kappa=0.3, num_draws=30)
        with pytest.warns(UserWarning, match="only an upper bound"):
            found = run(solver="host")
    assert int(found.classes_per_draw) == 2
    assert 0 < float(found.capacity) < 1


def batch():
    rng = np.random.default_rng(3)
    frames, draws = rng.standard_normal((3, 6, 4)), rng.standard_normal((3, 20, 4))
    transposed = frames.transpose(0, 2, 1)
    return jnp.asarray(frames @ transposed, jnp.float32), jnp.asarray(draws @ transposed, jnp.float32)


def test_batches_arrive_as_one_call(monkeypatch):
    grams, linears = batch()
    calls = []
    count = lambda *arguments: calls.append(arguments[0].shape) or host_programs(*arguments)
    host_programs = host.solve_programs
    monkeypatch.setattr(host, "solve_programs", count)
    one = lambda gram, linear: nonnegative_qp(gram, linear, solver="host").multipliers
    together = jax.block_until_ready(jax.vmap(one)(grams, linears))
    assert calls == [(3, 6, 6)]
    np.testing.assert_array_equal(together, [one(*each) for each in zip(grams, linears, strict=True)])
    shared = jax.vmap(one, in_axes=(None, 0))(grams[0], linears)
    np.testing.assert_allclose(shared[1], one(grams[0], linears[1]), atol=1e-6)
    nested = jax.vmap(jax.vmap(one, in_axes=(0, None)), in_axes=(None, 0))(grams, linears[:2])
    np.testing.assert_allclose(nested[1, 2], one(grams[2], linears[1]), atol=1e-6)


def test_only_the_processors_own_branch_is_in_its_program():
    run = jax.jit(lambda gram, linear: nonnegative_qp(gram, linear, solver="host").multipliers)
    arguments = [each[0] for each in batch()]
    here = run.lower(*arguments).as_text()
    assert "quadratic programs" in here
    assert "while" not in here
    there = jax.export.export(run, platforms=["tpu"])(*arguments).mlir_module()
    assert "quadratic programs" not in there
    assert "while" in there


def test_few_programs_and_what_lacks_numba_stay_on_the_device(monkeypatch):
    assert choose_solver(None, 300, 50) == "host"
    assert choose_solver(None, 3, 5) == "active_set"
    assert choose_solver(None, 3, 5, otherwise="admm") == "admm"
    assert choose_solver("admm", 300, 50) == "admm"
    options, shape = GeometryOptions(), (1, 10, 50, jnp.dtype(jnp.float32))
    assert joint_options(options, shape).plan.solver == "host"
    monkeypatch.setattr(callback, "is_available", lambda: False)
    assert choose_solver(None, 300, 50) == "active_set"
    assert joint_options(options, shape).plan.solver == "admm"
    with pytest.raises(ValueError, match="expected numba"):
        choose_solver("host", 300, 50)
    with pytest.raises(ValueError, match="expected numba"):
        geometry.simulated_capacity(POINTS, key=jax.random.key(0), method="host")


WITHOUT = """
import sys
sys.modules["numba"] = None
import numpy as np, jax
from memorize_jax import geometry
points = np.random.default_rng(0).normal(size=(4, 30, 12)).astype("float32") + 2 * np.eye(4, 12)[:, None]
found = geometry.manifold_geometry(points, key=jax.random.key(0), num_draws=60, num_center_components=0)
print(bool(found.on_host), bool(np.isfinite(found.capacity).all()))
"""


@pytest.mark.slow
def test_without_numba_everything_is_measured_on_the_device():
    done = commands.python("-c", WITHOUT)
    assert done.stdout.split() == ["False", "True"], done.stderr


SHARDED = """
import os
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, PartitionSpec
from memorize_jax import geometry
from memorize_jax.geometry.qp import callback
from memorize_jax.geometry.qp.solve import choose_solver, nonnegative_qp
rng = np.random.default_rng(0)
frames, draws = rng.standard_normal((8, 30, 40)) + 2 * np.eye(1, 40), rng.standard_normal((8, 60, 40))
grams, linears = (jnp.asarray(each @ frames.transpose(0, 2, 1), jnp.float32) for each in (frames, draws))
one = lambda gram, linear: nonnegative_qp(gram, linear).multipliers
expected = jax.vmap(one)(grams, linears)
mesh, spec = Mesh(jax.devices(), "x"), PartitionSpec("x")
shared = jax.jit(jax.shard_map(jax.vmap(one), mesh=mesh, in_specs=(spec, spec), out_specs=spec, check_vma=False))
placed = jax.device_put((grams, linears), jax.NamedSharding(mesh, spec))
for found in (jax.pmap(one)(grams, linears), shared(grams, linears), jax.jit(jax.vmap(one))(*placed)):
    np.testing.assert_allclose(found, expected, atol=1e-5)
assert bool(callback.runs_on_host(choose_solver(None, 60, 30)))
# Large enough for threads, which a fork does not inherit.
if not (child := os.fork()):
    found = np.empty((8, 1200, 30), np.float32)
    callback._solver(1e-7, 500, False)(np.asarray(grams), np.tile(linears, (1, 20, 1)), np.ones((1, 30)), found)
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_on_eight_devices_and_in_a_fork():
    done = commands.python("-W", "ignore", "-c", SHARDED, XLA_FLAGS="--xla_force_host_platform_device_count=8")
    assert done.stdout.split() == ["7"], done.stderr


@pytest.mark.parametrize("num_features", [3, 8, 30])
def test_separability_is_decided_as_by_least_squares(num_features):
    rng, seen = np.random.default_rng(0), []
    for number in range(60):
        rows = np.hstack([rng.standard_normal((40, num_features)) / num_features**0.5, np.ones((40, 1))])
        signs = np.where(rows[:, 0] * rng.choice([0, 1, 3]) + rng.standard_normal(40) * (number % 3) > 0, 1.0, -1.0)
        decided, undecided = separable_on_host(rows, signs)
        assert not undecided
        assert decided == separable_by_least_squares(rows, signs)[0]
        seen.append(decided)
    assert 0 < np.mean(seen) <= 1


def test_simulated_capacity_does_not_depend_on_the_method():
    points = np.random.default_rng(0).normal(size=(20, 2, 40)).astype(np.float32)
    run = functools.partial(geometry.simulated_capacity, points, key=jax.random.key(0), num_dichotomies=20)
    for ours, exact in zip(run(), run(method="least_squares"), strict=True):
        np.testing.assert_array_equal(ours, exact)
    assert run(method="host").undecided == 0


def test_where_no_cache_can_be_written_numba_compiles_anew(monkeypatch):
    asked = []

    def njit(cache=False, **options):
        asked.append(cache)
        if cache:
            raise RuntimeError("cannot cache function 'f': no locator available for file 'f.py'")
        return lambda function: function

    monkeypatch.setattr(machine_code.numba, "njit", njit)
    assert machine_code.compiled(abs) is abs
    assert asked == [True, False]


def points_that_fill_their_dimensions():
    """A hundred points of ten classes in 32 dimensions, of which some hardly count."""
    rng = np.random.default_rng(5)
    spread = 0.5 ** np.arange(0, 16, 0.5)
    return ((rng.standard_normal((10, 1, 32)) + rng.standard_normal((10, 10, 32))) * spread).astype(np.float32)


def test_where_points_fill_their_dimensions_the_projection_is_still_exact_and_no_longer_than_what_is_projected():
    points = points_that_fill_their_dimensions().reshape(100, 32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    root = root_of(jnp.asarray(points @ points.T))
    rng = np.random.default_rng(6)
    normals = rng.standard_normal((20, 100)).astype(np.float32)
    signs = np.repeat(np.where(rng.permuted(np.tile(np.arange(10) < 5, (20, 1)), axis=1), 1.0, -1.0), 10, axis=1)
    found = jax.jit(project, static_argnums=5)(root, normals, signs.astype(np.float32), np.zeros(100), 1.0, "host")
    factor = np.asarray(root.vectors * root.values, np.float64)
    there = np.asarray(root.values) > 0
    seen = (normals @ np.asarray(root.vectors, np.float64))[:, there]
    for draw in range(20):
        # v, the nearest point to t of the cone of signed points, by Lawson and Hanson's method in float64.
        matrix = (factor[:, there] * signs[draw][:, None]).T
        distance = nnls(matrix, seen[draw], maxiter=10_000)[1]
        exact = np.sum(seen[draw] ** 2) - distance**2
        # The root's vectors are as orthogonal as float32 has them.
        assert found.squares[draw] <= np.sum(seen[draw] ** 2) * (1 + 1e-4)
        # Nearly dependent points leave a tolerance in the weights, which are in the hundred thousands.
        np.testing.assert_allclose(found.squares[draw], exact, rtol=0.05)
    assert np.median(found.residual) < 1e-6


def test_where_points_fill_their_dimensions_the_host_sees_what_a_device_sees():
    run = functools.partial(geometry.joint_geometry, points_that_fill_their_dimensions(), key=jax.random.key(0))
    ours, theirs = (run(num_draws=100, solver=solver) for solver in ("host", "admm"))
    # The splitting of devices ends early where weights are large: it may take another class.
    assert abs(int(ours.classes_per_draw) - int(theirs.classes_per_draw)) <= 1
    assert int(ours.classes_per_draw) < 10
    assert int(ours.status) == int(theirs.status)
    error = np.hypot(ours.capacity_standard_error, theirs.capacity_standard_error)
    assert abs(float(ours.capacity - theirs.capacity)) < 3 * error < 0.25 * float(theirs.capacity)
