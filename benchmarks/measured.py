"""What the table of published numbers needs and no study measures: sizes of networks, random points, pixels."""

import functools
import pathlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from flax import linen as nn

from memorize_jax import data, geometry, models
from memorize_jax.measurements import decoding
from memorize_jax.storage.files import replacing

# Network -> shape of an input and number of classes, as in the paper's tables.
NETWORKS = {"mlp": ((1024,), 100), "vgg16": ((32, 32, 3), 100), "resnet18": ((32, 32, 3), 100)}
# The published geometry tool's README: manifolds, examples, features; and the draws it asks for.
RANDOM_SHAPE, RANDOM_DRAWS = (100, 50, 5000), 200
RULES = {"0.99": {"variance": 0.99}, "0.75": {"variance": 0.75}, "1 component": {"num_components": 1}}


class Measured(NamedTuple):
    """One number by its name, e.g. "vgg16 parameters", and how many draws, images or networks it comes from."""

    quantity: str
    value: float
    n: int


def measure(path: str | pathlib.Path) -> None:
    """Measures all of them, about a minute, and writes the table; raises FileNotFoundError without Fashion-MNIST."""
    rows = [*_networks(), *_random_points(), *_pixels()]
    with replacing(pathlib.Path(path)) as beside:
        pd.DataFrame(rows).to_csv(beside, index=False, float_format="%.10g")


def read_measured(path: str | pathlib.Path) -> dict[str, Measured]:
    """Reads the table: quantity -> its row."""
    rows = pd.read_csv(path).to_dict("records")
    return {row["quantity"]: Measured(**row) for row in rows}


def _networks():
    for name, (shape, num_classes) in NETWORKS.items():
        model = models.create(name, num_classes=num_classes)
        image = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
        variables = jax.eval_shape(model.init, jax.random.key(0), image)
        # Name of every convolution and linear layer -> the shape of its output.
        options = {"mutable": ["intermediates"], "capture_intermediates": _is_layer}
        _, state = jax.eval_shape(functools.partial(model.apply, **options), variables, image)
        own = state["intermediates"]
        outputs = {key: value["__call__"][0] for key, value in own.items() if isinstance(value, dict)}
        parameters = variables["params"]
        yield Measured(f"{name} parameters", sum(leaf.size for leaf in jax.tree.leaves(parameters)), 1)
        # Every position of an output applies the whole kernel once.
        counts = [parameters[key]["kernel"].size * out.size // out.shape[-1] for key, out in outputs.items()]
        yield Measured(f"{name} multiply-adds", sum(counts), 1)
        hidden = [parameters[layer]["kernel"].size for layer in models.layer_names(name)[:-1]]
        yield Measured(f"{name} hidden weights", sum(hidden), 1)


def _is_layer(module, _):
    return isinstance(module, nn.Conv | nn.Dense)


def _random_points():
    points = np.random.default_rng(0).standard_normal(RANDOM_SHAPE, np.float32)
    found = geometry.manifold_geometry(points, key=jax.random.key(0), num_draws=RANDOM_DRAWS).summary()
    for name in ("capacity", "radius", "dimension", "center_correlation"):
        yield Measured(f"random points {name}", float(found[name]), RANDOM_DRAWS)


def _pixels():
    train, test = data.load("fashion_mnist")
    train_points, points = (
        np.asarray(data.standardize(jnp.asarray(each.images), data.channel_statistics(each.images, "symmetric")))
        for each in (train, test)
    )
    for name, rule in RULES.items():
        subspaces = decoding.fit_subspaces(train_points, train.labels, num_classes=10, **rule)
        right = np.asarray(decoding.classify(subspaces, points)) == test.labels
        yield Measured(f"pixels {name}", 100 * float(np.mean(right)), len(right))
