"""What the report says of decoding."""

import pathlib

import numpy as np
import pandas as pd

from memorize_jax.epochs import final_epoch
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, make_view
from memorize_jax.studies.study import Study

# Ketha and Ramaswamy (2025), test accuracy in %: network at the end, best layer by assigned and by true labels.
PUBLISHED_DEGREES = (20, 40, 60, 80)

PUBLISHED = {
    "MLP, MNIST": ((87.4, 96.9, 97.0), (73.3, 96.5, 96.7), (54.2, 94.8, 96.3), (32.1, 83.4, 95.8)),
    "MLP, CIFAR-10": ((48.6, 53.4, 54.0), (40.4, 50.2, 52.6), (30.6, 44.9, 51.0), (19.7, 32.4, 48.4)),
    "CNN, Fashion-MNIST": ((77.7, 83.6, 84.3), (61.4, 81.9, 81.7), (43.3, 80.0, 81.7), (25.6, 73.9, 79.9)),
    "CNN, CIFAR-10": ((60.5, 61.9, 62.5), (46.2, 49.0, 52.4), (31.0, 39.3, 49.0), (18.3, 29.3, 43.7)),
}


def _facts(study: Study) -> dict | None:
    """The words on the probes, means over seeds; None if no final network was read with all controls."""
    if "decoding_choice" not in study.tables:
        return None
    table, choice = study.tables["decoding"], study.tables["decoding_choice"]
    rows = []
    for seed in study.seeds:
        metrics = study.metrics_of(seed).set_index("epoch")["test_accuracy"]
        final = int(metrics.index.max())
        own = choice[(choice["seed"] == seed) & (choice["epoch"] == final)].set_index(["method", "labels"])
        if ("masc", "assigned") not in own.index:
            return None
        read = table[(table["seed"] == seed) & (table["epoch"] == final) & (table["method"] == "edited_network")]
        edited = read.set_index("labels")["test_accuracy"]
        oracle = own.loc[("masc", "assigned"), "oracle_test_accuracy"]
        rows.append(
            {
                "final": metrics[final],
                "best": metrics.max(),
                "assigned": edited.get("assigned", np.nan),
                "true": edited.get("true", np.nan),
                "gain": oracle - metrics[final],
            }
        )
    return pd.DataFrame(rows).mean().to_dict() | {"published": PUBLISHED, "published_degrees": PUBLISHED_DEGREES}


def decoding_rows(study: Study) -> pd.DataFrame:
    """The table of the probes at the final epoch, with what they read in the input and in the untrained network.

    Args:
      study: with the tables decoding and decoding_choice.

    Returns:
      the rows of decoding_choice at each seed's final epoch, with the columns `input` and `untrained`.
    """
    table, choice = study.tables["decoding"], study.tables["decoding_choice"]
    key, parts = ["method", "labels"], []
    for seed in study.seeds:
        final = final_epoch(study.metrics_of(seed))
        own = choice[choice["seed"] == seed]
        of_input = table[(table["seed"] == seed) & (table["epoch"] == final) & (table["layer"] == "input")]
        untrained = own[own["epoch"] == 0].set_index(key)["oracle_test_accuracy"].rename("untrained")
        rows = own[own["epoch"] == final].join(untrained, on=key)
        parts.append(rows.join(of_input.set_index(key)["test_accuracy"].rename("input"), on=key))
    return pd.concat(parts, ignore_index=True)


def _decoding_choice(study):
    rows = decoding_rows(study)
    numbers = {
        "input": Number("raw input", "percent"),
        "untrained": Number("untrained, oracle layer", "percent"),
        "test_accuracy": Number("layer chosen on held-out examples", "percent", beside="layer"),
        "clean_test_accuracy": Number("same, by their true labels", "percent", beside="clean_layer"),
        "oracle_test_accuracy": Number("oracle layer (chosen on test)", "percent", beside="oracle_layer"),
    }
    note = (
        "Test accuracy at the final epoch. Held-out examples are a tenth of the training set, held out from the probe. "
        "The network was trained on them, so by assigned labels the layer that memorized most looks best."
    )
    texts, whole = {"method": "probe", "labels": "fitted to"}, study.tables["decoding_choice"]
    return make_view("decoding_choice", "Probes of the layers", rows, texts, numbers, note=note, whole=whole)


def _decoding(study):
    table = study.tables["decoding"]
    final = {seed: final_epoch(study.metrics_of(seed)) for seed in study.seeds}
    rows = table[table["epoch"] == table["seed"].map(final)].sort_values(["method", "labels", "layer_number"])
    numbers = {
        "train_accuracy": Number("training, assigned labels", "percent"),
        "restored_accuracy": Number("permuted, true labels", "percent"),
        "validation_accuracy": Number("held out, assigned labels", "percent"),
        "test_accuracy": Number("test", "percent"),
        "most_components": Number("components, at most", "d"),
    }
    texts = {"method": "probe", "labels": "fitted to", "layer": "layer"}
    note = "Accuracy of every probe on every layer at the final epoch."
    return make_view("decoding", "Probes, layer by layer", rows, texts, numbers, note=note, whole=table)


SECTION = Section(
    "What the layers still know: subspace probes",
    {
        "decoding_choice": (("metrics", "decoding"), _decoding_choice),
        "decoding": (("metrics",), _decoding),
    },
    words=pathlib.Path(__file__).with_name("section.html.j2"),
    facts=_facts,
)
