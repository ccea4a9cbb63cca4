"""The programs of the measurements of a network."""

import functools

import jax
import jax.numpy as jnp

from benchmarks.lowered.networks import Network
from benchmarks.lowered.program import Program, array, key
from memorize_jax.activations import head_reader
from memorize_jax.analysis import similarity
from memorize_jax.analysis.manifolds import compiled_network_geometries, compiled_network_participation
from memorize_jax.measurements.collapse import passes
from memorize_jax.measurements.few_shot.network import network_few_shot
from memorize_jax.measurements.flipping import search
from memorize_jax.measurements.flipping.units import hidden_units
from memorize_jax.measurements.gradients import base_vectors
from memorize_jax.measurements.per_example.depth import neighbor_votes
from memorize_jax.measurements.retraining.retrain import retrain_step
from memorize_jax.measurements.rewinding.transplant import _train_mode
from memorize_jax.recipe import make_optimizer
from memorize_jax.training.state import create_state
from memorize_jax.training.step import Batch


def of_manifolds(network: Network) -> list[Program]:
    """Geometry of class manifolds, similarity of layers, few-shot learning."""
    sizes, variables = network.sizes, network.variables
    images = network.images(sizes.num_classes, sizes.num_examples)
    draws = (("num_draws", sizes.num_draws), ("joint_draws", sizes.joint_draws))
    static = {"layers": network.names}

    def geometries(variables, images, key):
        arguments = (network.model, variables, images, network.statistics, key)
        return compiled_network_geometries(*arguments, **static, options=draws)

    def participation(variables, images):
        return compiled_network_participation(network.model, variables, images, network.statistics, **static)

    def few_shot(variables, images, key):
        arguments = (network.model, variables, images, network.statistics, key)
        return network_few_shot(*arguments, **static, shots=(1, 2), num_draws=sizes.num_draws)

    def grams(variables, images, is_example):
        return similarity.network_grams(network.model, variables, images, is_example, network.statistics, **static)

    place, given, count = "analysis.manifolds:compiled_network_", (variables, images), sizes.batch
    two, three = (array(number, count, count) for number in (2, 3))
    return [
        Program("geometries of a network", f"{place}geometries", geometries, (*given, key())),
        Program("participation ratios of a network", f"{place}participation", participation, given),
        Program("few-shot learning", "measurements.few_shot.network:network_few_shot", few_shot, (*given, key())),
        Program(
            "Gram matrices of layers",
            "analysis.similarity:network_grams",
            grams,
            (variables, network.images(count), array(count, dtype=bool)),
        ),
        Program("similarity", "analysis.similarity:same_layers", similarity.same_layers, (two, two)),
        Program(
            "similarities",
            "analysis.similarity:all_layers",
            similarity.all_layers,
            (two, three, array(dtype=jnp.int32)),
        ),
    ]


def of_gradients(network: Network, bn: str = "train") -> list[Program]:
    """A batch of the gradient decomposition."""
    sizes, variables = network.sizes, network.variables
    images, labels = network.images(sizes.batch), array(sizes.batch, dtype=jnp.int32)
    is_permuted, batch = array(sizes.batch, dtype=bool), (labels, array(sizes.batch))
    one = lambda leaf: array(base_vectors.NUM_VECTORS, *leaf.shape, dtype=leaf.dtype)
    sums = (jax.tree.map(one, variables["params"]),) * 2
    marginals, shares = array(2, 2, sizes.num_classes), array(2)
    how, place = {"model": network.model, "bn": bn}, "measurements.gradients.base_vectors:"

    def model_sums(variables, images, is_permuted, batch):
        return base_vectors._model_sums(variables, images, is_permuted, batch, network.statistics, **how)

    def accumulate(sums, variables, images, labels, is_permuted, batch, marginals, shares):
        given = (sums, variables, images, labels, is_permuted, batch, network.statistics, marginals, shares)
        return base_vectors._accumulate(*given, **how)

    everything = (sums, variables, images, labels, is_permuted, batch, marginals, shares)
    return [
        Program("gradients of a batch", f"{place}_accumulate", accumulate, everything),
        Program("means of the model", f"{place}_model_sums", model_sums, (variables, images, is_permuted, batch)),
    ]


def of_layers_moved(network: Network) -> list[Program]:
    """Rewinding's statistics of BatchNorm, and a step of retraining; rewinding itself is an evaluation."""
    sizes, tx = network.sizes, make_optimizer("adam", 1e-3)
    sample = array(1, *sizes.image)
    state = jax.eval_shape(lambda sample: create_state(network.model, sample, seed=0, tx=tx), sample)
    trained = {name: array(dtype=bool) for held in (state.params, state.batch_stats) for name in held}
    labels = array(sizes.batch, dtype=jnp.int32)
    batch, inputs = Batch(labels, array(sizes.batch)), array(sizes.batch, *sizes.image)

    def retrain(state, trained, images, labels, batch):
        return retrain_step(state, trained, images, labels, batch, network.statistics, model=network.model, tx=tx)

    train_mode, place = functools.partial(_train_mode, network.model), "measurements.rewinding.transplant:_train_mode"
    own = (state, trained, network.images(sizes.batch), labels, batch)
    return [
        Program(
            "statistics of BatchNorm", place, lambda *given: train_mode(*given), (network.variables, inputs, batch.mask)
        ),
        Program("step of retraining", "measurements.retraining.retrain:retrain_step", retrain, own),
    ]


def of_examples(network: Network) -> list[Program]:
    """Neuron flipping, prediction depth, and the two passes of drift and collapse."""
    sizes, variables, images = network.sizes, network.variables, network.images(network.sizes.batch)
    labels, units = array(sizes.batch, dtype=jnp.int32), hidden_units(variables["params"], network.layers)
    searched = search.Searched(variables, images, labels, network.statistics, 0.1, key())
    of_units, static = array(search.SLOTS, units.count), {"model": network.model, "units": units}
    batches, steps = array(search.SLOTS, sizes.batch, dtype=jnp.int32), array(search.SLOTS, dtype=jnp.int32)
    flips = (searched, batches, of_units, steps, array(units.count, dtype=bool))
    votes = functools.partial(neighbor_votes, num_neighbors=2, num_classes=sizes.num_classes)
    read = head_reader(network.model, network.statistics, network.names, network.names[-1])
    first = lambda variables, images: passes._first_points(read, network.names, variables, images)
    points = jax.eval_shape(first, variables, network.images(1))
    origins = {name: passes.Origin(leaf, array()) for name, leaf in points.items()}
    axes = {name: array(3, leaf.shape[1]) for name, leaf in points.items()}
    sums = lambda *given: passes._sums(read, network.names, sizes.num_classes, *given)
    products = lambda *given: passes._products(read, network.names[-1], *given)
    place, flipping = "measurements.collapse.passes:", "measurements.flipping.search:"
    own_labels = array(2, sizes.batch, dtype=jnp.int32)
    return [
        Program("step of flipping", f"{flipping}flip_step", functools.partial(search.flip_step, **static), flips),
        Program(
            "examples that stay correct",
            f"{flipping}masked_correct",
            functools.partial(search.masked_correct, **static),
            (searched, labels, array(units.count)),
        ),
        Program(
            "votes of neighbors",
            "measurements.per_example.depth:neighbor_votes",
            votes,
            (array(sizes.batch, sizes.num_features), labels),
        ),
        Program("first points", f"{place}_first_points", first, (variables, network.images(1))),
        Program("sums of classes", f"{place}_sums", sums, (variables, images, own_labels, origins)),
        Program("projections", f"{place}_products", products, (variables, images, origins, axes)),
    ]
