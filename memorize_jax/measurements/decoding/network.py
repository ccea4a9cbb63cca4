"""A whole network, layer by layer: activations out, table rows out."""

from collections.abc import Callable, Iterator, Mapping

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from memorize_jax.activations import hosted_activations, layer_activations, run_in_batches
from memorize_jax.data import ChannelStatistics, Splits, standardize
from memorize_jax.measurements.decoding.layers import VARIANTS, Examples, read_layer
from memorize_jax.measurements.decoding.linear import first_components, replace_head
from memorize_jax.measurements.decoding.subspaces import fit_subspaces
from memorize_jax.threads import one_thread

# What the last layer multiplies; in a convolutional network the last analyzed activation need not be it.
HEAD_INPUT = "head_input"


def make_reader(
    model: nn.Module, statistics: ChannelStatistics, layers: tuple[str, ...], head: str
) -> Callable[[dict, jax.Array], dict[str, jax.Array]]:
    """Builds the function that shows the layers of a network.

    Args:
      model: flax.linen module.
      statistics: bring the images to the range the network expects.
      layers: names of the analyzed layers.
      head: name of the last layer.

    Returns:
      (variables, images [n, ...]) -> name -> [n, d]: "input", the layers, and "head_input".
    """

    def read(variables, images):
        caught = []

        def catch(call, args, kwargs, context):
            if context.module.name == head and context.method_name == "__call__":
                caught.append(args[0])
            return call(*args, **kwargs)

        with nn.intercept_methods(catch):
            shown = layer_activations(model, variables, standardize(images, statistics), layers)
        shown[HEAD_INPUT] = caught[0]
        return {name: value.reshape(len(value), -1).astype(jnp.float32) for name, value in shown.items()}

    return read


def activations_by_layer(
    read: Callable, variables: dict, splits: Splits, names: tuple[str, ...], dtype: str = "float32"
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yields the activations of one layer after the other; the network is run again where memory asks for it.

    Args:
      read: of `make_reader`.
      variables: params and batch_stats.
      splits: the data.
      names: wanted, of those that `read` shows.
      dtype: of the result.

    Yields:
      (name, [n, d] of the training set, [m, d] of the test set).
    """
    images = [split.images for split in splits]
    for name, (train, test) in hosted_activations(read, variables, images, names, dtype):
        yield name, train, test


def network_rows(
    read: Callable,
    variables: dict,
    splits: Splits,
    examples: Examples,
    layers: Mapping[str, int],
    *,
    head: str,
    head_number: int,
    controls: bool = True,
    dtype: str = "float32",
) -> list[dict]:
    """Reads every layer of a network, with both kinds of labels, and the network whose head is replaced.

    Args:
      read: of `make_reader`.
      variables: params and batch_stats.
      splits: the data.
      examples: of `choose_examples`.
      layers: name -> number, in order; those to read.
      head: name of the last layer.
      head_number: its number.
      controls: see `read_layer`.
      dtype: "float32", or "float64" if jax_enable_x64 is set.

    Returns:
      the rows of `read_layer` with layer and layer_number, and for each kind of labels a row with the method
      "edited_network" at the last layer.
    """
    rows, edits = [], {}
    variables = jax.device_put(variables)
    for name, train, test in activations_by_layer(read, variables, splits, (*layers, HEAD_INPUT), dtype):
        for variant in VARIANTS:
            if name == HEAD_INPUT:
                labels = examples.labels.assigned if variant == "assigned" else examples.labels.true
                subspaces = fit_subspaces(train, labels, num_classes=examples.num_classes, num_components=1)
                edits[variant] = first_components(subspaces, np.mean(train, axis=0))
            else:
                with one_thread():
                    found = read_layer(train, test, examples, variant, controls=controls)
                rows += [{"layer": name, "layer_number": layers[name], **row} for row in found]
    for variant, weights in edits.items():
        edited = replace_head(variables, head, weights)
        rows.append(
            {"layer": head, "layer_number": head_number}
            | {"method": "edited_network", "labels": variant}
            | _accuracies(read, edited, splits, examples, head, variant)
            | {"num_features": weights.shape[1], "num_fitted": len(examples.labels.true)}
            | {"least_components": 1, "most_components": 1}
        )
    return rows


def _accuracies(read, variables, splits, examples, head, variant):
    """What a network answers itself."""
    scored, labels = examples.scored, examples.labels
    fitted = labels.assigned if variant == "assigned" else labels.true
    train = run_in_batches(read, variables, splits.train.images[scored], (head,), "float32")[head].argmax(axis=1)
    test = run_in_batches(read, variables, splits.test.images, (head,), "float32")[head].argmax(axis=1)
    restored = (train == labels.true[scored])[labels.is_permuted[scored]]
    return {
        "train_accuracy": float(np.mean(train == fitted[scored])),
        "restored_accuracy": float(np.mean(restored)) if len(restored) else float("nan"),
        "validation_accuracy": float("nan"),
        "clean_validation_accuracy": float("nan"),
        "test_accuracy": float(np.mean(test == examples.test_labels)),
    }
