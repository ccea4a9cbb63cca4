"""A whole network, layer by layer: activations out, table rows out."""

from collections.abc import Mapping

import jax
import numpy as np

from memorize_jax.activations import HEAD_INPUT, Reader, hosted_activations, run_in_batches
from memorize_jax.data import Splits
from memorize_jax.measurements.decoding.layers import VARIANTS, Examples, read_layer
from memorize_jax.measurements.decoding.linear import first_components, replace_head
from memorize_jax.measurements.decoding.subspaces import fit_subspaces


def network_rows(
    read: Reader,
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
      read: of `activations.head_reader`.
      variables: params and batch_stats.
      splits: the data.
      examples: of `choose_examples`.
      layers: name -> number, in order; those to read.
      head: name of the last layer.
      head_number: its number.
      controls: see `read_layer`.
      dtype: "float32", or "float64" if jax_enable_x64 is set.

    Returns:
      The rows of `read_layer` with layer and layer_number, and for each kind of labels a row with the method
      "edited_network" at the last layer.
    """
    rows, edits, variables = [], {}, jax.device_put(variables)
    images = [split.images for split in splits]
    for name, (train, test) in hosted_activations(read, variables, images, (*layers, HEAD_INPUT), dtype):
        for variant in VARIANTS:
            if name == HEAD_INPUT:
                fitted, num_classes = examples.fitted(variant), examples.num_classes
                subspaces = fit_subspaces(train, fitted, num_classes=num_classes, num_components=1)
                edits[variant] = first_components(subspaces, np.mean(train, axis=0))
            else:
                found = read_layer(train, test, examples, variant, controls=controls)
                rows += [{"layer": name, "layer_number": layers[name], **row} for row in found]
    for variant, weights in edits.items():
        edited = replace_head(variables, head, weights)
        # What the network answers itself.
        train, test = (
            run_in_batches(read, edited, own, (head,))[head].argmax(axis=1)
            for own in (splits.train.images[examples.scored], splits.test.images)
        )
        rows.append(
            {"layer": head, "layer_number": head_number, "method": "edited_network", "labels": variant}
            | examples.accuracies(variant, train, test)
            | dict.fromkeys(("validation_accuracy", "clean_validation_accuracy"), float("nan"))
            | {"num_features": weights.shape[1], "num_fitted": len(examples.labels.true)}
            | {"least_components": 1, "most_components": 1}
        )
    return rows
