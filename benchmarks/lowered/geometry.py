"""The programs of the geometry of manifolds: mean-field, joint, of one wide layer, and simulated capacity."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.lowered.program import Program, Sizes, array, key
from memorize_jax import geometry
from memorize_jax.geometry import center_search, centers, one_layer, participation, pipeline
from memorize_jax.geometry import layer_by_layer as layers_in_turn
from memorize_jax.geometry.anchors import anchor_statistics, solve_anchors
from memorize_jax.geometry.options import GeometryOptions, joint_options, mean_field_options
from memorize_jax.geometry.qp.solve import SOLVERS, nonnegative_qp
from memorize_jax.geometry.streaming import streamed_geometries, streamed_participation
from memorize_jax.geometry.theory.ball import ball_capacity
from memorize_jax.geometry.theory.splitting import separable_dichotomies

# Dichotomies of a batch of simulated capacity, and random features of each.
DICHOTOMIES = 10
MOST_CHECKS = 25


def mean_field(sizes: Sizes) -> list[Program]:
    """Capacity, radius and dimension: whole, in parts, with other options, and their gradient."""
    points, draws = _points(sizes), {"num_draws": sizes.num_draws}
    gram = array(sizes.num_classes, sizes.num_classes)
    frame, own_draws = array(sizes.num_examples, 4), array(sizes.num_draws, 4)
    of_layers = lambda key, *layers, **options: geometry.layer_geometry(
        {str(number): own for number, own in enumerate(layers)}, key=key, **draws, **options
    )

    def capacity(points, key):
        return jnp.mean(geometry.manifold_geometry(points, key=key, **draws, num_center_components=1).capacity)

    site, wide = "geometry.pipeline:_geometry_of_layers", array(*points.shape[:2], 2 * sizes.num_features)
    whole = [
        Program("mean-field geometry of a layer", site, of_layers, (key(), points)),
        Program("mean-field geometry of two layers", site, of_layers, (key(), points, wide)),
        Program(
            "mean-field geometry as the published tool, K varied",
            site,
            functools.partial(of_layers, compat="mftma", vary_components=True),
            (key(), points),
        ),
        Program("gradient of the mean-field capacity", site, jax.grad(capacity), (points, key())),
        Program(
            "inner products of centers",
            "geometry.pipeline:_centers_gram",
            pipeline._centers_gram,
            (points, _mask(sizes)),
        ),
        Program(
            "directions shared by centers",
            "geometry.centers:_center_structure",
            lambda gram, key: geometry.center_structure(gram, key=key),
            (gram, key()),
        ),
        Program(
            "rank of centers",
            "geometry.centers:check_num_components",
            lambda gram: centers._normalized(gram)[2].bound,
            (gram,),
        ),
        Program("anchors", "geometry.anchors:_solve_anchors", solve_anchors, (frame, own_draws)),
        Program("anchor statistics", "geometry.anchors:statistics_of_anchors", anchor_statistics, (frame, own_draws)),
        Program("capacity of balls", "geometry.theory.ball:ball_capacity", ball_capacity, (array(3), array(3))),
    ]
    square, linear = array(sizes.num_examples, sizes.num_examples), array(sizes.num_draws, sizes.num_examples)
    solve = lambda solver: functools.partial(nonnegative_qp, solver=solver)
    site = "geometry.qp.solve:_nonnegative_qp"
    return whole + [Program(f"programs by {name}", site, solve(name), (square, linear)) for name in SOLVERS]


def whole_network(sizes: Sizes, num_layers: int) -> Program:
    """Mean-field geometry of so many layers of one size."""

    def measure(key, *layers):
        named = {str(number): own for number, own in enumerate(layers)}
        return geometry.layer_geometry(named, key=key, num_draws=sizes.num_draws)

    name, site = f"mean-field geometry of {num_layers} layers", "geometry.pipeline:_geometry_of_layers"
    return Program(name, site, measure, (key(), *[_points(sizes)] * num_layers))


def many_centers() -> list[Program]:
    """The search for shared directions among more centers than `center_search.MANY`."""
    gram, site = array(*2 * [center_search.MANY + 1]), "geometry.centers:_center_structure"
    search = lambda gram, key: geometry.center_structure(gram, key=key, neighbors=True)
    return [Program("directions shared by many centers", site, search, (gram, key()))]


def joint(sizes: Sizes) -> list[Program]:
    """Joint geometry: of all classes, of some at a time, and its gradient."""
    points, draws = _points(sizes), {"num_draws": sizes.joint_draws}
    site = "geometry.joint.pipeline:_geometry_of_layers"
    measure = lambda points, key, **options: geometry.joint_geometry(points, key=key, **draws, **options)
    capacity = lambda points, key: measure(points, key).capacity
    few = functools.partial(measure, classes_per_draw=2, dichotomies="one_vs_rest")
    return [
        Program("joint geometry of a layer", site, measure, (points, key())),
        Program("joint geometry of a layer, two classes a draw", site, few, (points, key())),
        Program("gradient of the joint capacity", site, jax.grad(capacity), (points, key())),
    ]


def wide_layer(sizes: Sizes) -> list[Program]:
    """Everything about one layer that is not measured by the programs of many layers."""
    points, mask = _points(sizes), _mask(sizes)
    shape = (1, sizes.num_classes, sizes.num_examples, jnp.dtype("float32"))
    options = mean_field_options(GeometryOptions(num_draws=sizes.num_draws), shape).static
    ready = joint_options(GeometryOptions(num_draws=sizes.joint_draws), shape)
    referred = lambda points, mask: one_layer._reference(points, mask, None)
    reference, finite = jax.eval_shape(referred, points, mask)
    own = jax.eval_shape(one_layer._own_products, points, mask, reference)
    gram = jax.eval_shape(one_layer._gram, reference.centers)
    structure = jax.eval_shape(lambda gram, key: geometry.center_structure(gram, key=key), gram, key())

    def measured(points, mask, reference, finite, own, structure, key):
        return one_layer._mean_field(points, mask, reference, finite, own, structure, key, None, 0.0, options=options)

    def jointly(points, mask, reference, finite, key):
        static = {"plan": ready.plan, "name": ready.name, "center": ready.center}
        return one_layer._joint(points, mask, reference, finite, key, None, None, 0.0, **static)

    about = (points, mask, reference)
    listed = {
        "_reference": (referred, (points, mask)),
        "_gram": (one_layer._gram, (reference.centers,)),
        "_own_products": (one_layer._own_products, about),
        "_mean_field": (measured, (*about, finite, own, structure, key())),
        "_participation": (one_layer._participation, (*about, finite, own)),
        "_joint": (jointly, (*about, finite, key())),
    }
    found = [Program(f"one wide layer: {name}", f"geometry.one_layer:{name}", *own) for name, own in listed.items()]
    site = "geometry.participation:participation_of_points"
    return [*found, Program("participation ratios", site, participation.participation_of_points, (points, mask))]


def layer_by_layer(sizes: Sizes) -> list[Program]:
    """The same measures of one layer after the other, as they are made outside of jit."""
    points, mask, rows = _points(sizes), _mask(sizes), layers_in_turn
    shape = (1, sizes.num_classes, sizes.num_examples, jnp.dtype("float32"))
    options = mean_field_options(GeometryOptions(num_draws=sizes.num_draws), shape).static
    ready = joint_options(GeometryOptions(num_draws=sizes.joint_draws), shape)
    static = {"plan": ready.plan, "name": ready.name}
    draw = lambda key: rows._draws(key, sizes.num_classes, sizes.num_draws, sizes.num_examples, mask.dtype)
    draw_jointly = lambda key: rows._normals(key, ready.plan, sizes.num_examples, mask.dtype)
    order = lambda key, normals: rows._joint_draws(key, normals, None, **static)
    draws, normals = jax.eval_shape(draw, key()), jax.eval_shape(draw_jointly, key())
    sampled = jax.eval_shape(order, key(), normals)
    cut = lambda points, mask, blocks: rows._blocks(points, mask, blocks, center=ready.center)
    grams, blocks = jax.eval_shape(rows._reduced, points, mask), jax.eval_shape(cut, points, mask, sampled.blocks)
    measured = lambda grams, mask, key, draws: rows._mean_field(grams, mask, key, draws, 0.0, options=options)
    jointly = lambda blocks, mask, draws: rows._joint(blocks, mask, draws, 0.0, **static, center=ready.center)
    listed = {
        "_draws": (draw, (key(),)),
        "_reduced": (rows._reduced, (points, mask)),
        "_mean_field": (measured, (grams, mask, key(), draws)),
        "_normals": (draw_jointly, (key(),)),
        "_joint_draws": (order, (key(), normals)),
        "_blocks": (cut, (points, mask, sampled.blocks)),
        "_joint": (jointly, (blocks, mask, sampled)),
    }
    return [Program(f"layer by layer: {name}", f"geometry.layer_by_layer:{name}", *own) for name, own in listed.items()]


def streamed(sizes: Sizes) -> list[Program]:
    """What callers compile: layers that are never held whole."""
    points, layers_of = _points(sizes), lambda own: {"a": own, "b": jnp.tanh(own)}
    options = {"manifolds_at_a_time": 2, "num_draws": sizes.num_draws, "joint": {"num_draws": sizes.joint_draws}}
    both = lambda points, key: streamed_geometries(layers_of, points, key=key, **options)
    shares = lambda points: streamed_participation(layers_of, points, manifolds_at_a_time=2)
    return [
        Program("streamed geometry", "", both, (points, key())),
        Program("streamed participation ratios", "", shares, (points,)),
    ]


def simulated(sizes: Sizes, num_features: int) -> list[Program]:
    """A batch of dichotomies of simulated capacity, in so many random features."""
    projections = array(DICHOTOMIES, sizes.num_features, num_features)
    labels = array(DICHOTOMIES, sizes.num_classes, dtype=bool)
    call = functools.partial(separable_dichotomies, bias=True, max_checks=MOST_CHECKS)
    arguments = (_points(sizes), _mask(sizes), projections, labels)
    return [Program("simulated capacity", "geometry.theory.splitting:separable_dichotomies", call, arguments)]


def _points(sizes):
    return array(sizes.num_classes, sizes.num_examples, sizes.num_features)


def _mask(sizes):
    return np.ones((sizes.num_classes, sizes.num_examples), np.float32)
