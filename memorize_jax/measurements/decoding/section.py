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
    rows = []
    for seed in study.seeds:
        accuracy = study.metrics_of(seed).set_index("epoch")["test_accuracy"]
        read, chosen = _at_final(study, "decoding", seed), _at_final(study, "decoding_choice", seed)
        oracle = chosen.set_index(["method", "labels"])["oracle_test_accuracy"]
        if ("masc", "assigned") not in oracle.index:
            return None
        edited = read[read["method"] == "edited_network"].set_index("labels")["test_accuracy"]
        final = accuracy[accuracy.index.max()]
        found = {"final": final, "best": accuracy.max(), "gain": oracle["masc", "assigned"] - final}
        rows.append(found | {labels: edited.get(labels, np.nan) for labels in ("assigned", "true")})
    return pd.DataFrame(rows).mean(skipna=False).to_dict() | {
        "published": PUBLISHED,
        "published_degrees": PUBLISHED_DEGREES,
    }


def _at_final(study: Study, table: str, seed: int) -> pd.DataFrame:
    rows = study.tables[table]
    return rows[(rows["seed"] == seed) & (rows["epoch"] == final_epoch(study.metrics_of(seed)))]


def decoding_rows(study: Study) -> pd.DataFrame:
    """The rows of decoding_choice at each seed's final epoch, with columns `input` and `untrained`."""
    choice, key, parts = study.tables["decoding_choice"], ["method", "labels"], []
    for seed in study.seeds:
        own, read = choice[choice["seed"] == seed], _at_final(study, "decoding", seed)
        untrained = own[own["epoch"] == 0].set_index(key)["oracle_test_accuracy"].rename("untrained")
        of_input = read[read["layer"] == "input"].set_index(key)["test_accuracy"].rename("input")
        parts.append(_at_final(study, "decoding_choice", seed).join(untrained, on=key).join(of_input, on=key))
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
    rows = pd.concat([_at_final(study, "decoding", seed) for seed in study.seeds])
    rows = rows.sort_values(["method", "labels", "layer_number"])
    numbers = {
        "train_accuracy": Number("training, assigned labels", "percent"),
        "restored_accuracy": Number("permuted, true labels", "percent"),
        "validation_accuracy": Number("held out, assigned labels", "percent"),
        "test_accuracy": Number("test", "percent"),
        "most_components": Number("components, at most", "d"),
    }
    texts = {"method": "probe", "labels": "fitted to", "layer": "layer"}
    title, note = "Probes, layer by layer", "Accuracy of every probe on every layer at the final epoch."
    return make_view("decoding", title, rows, texts, numbers, note=note, whole=study.tables["decoding"])


SECTION = Section(
    "What the layers still know: subspace probes",
    {"decoding_choice": (("metrics", "decoding"), _decoding_choice), "decoding": (("metrics",), _decoding)},
    words=pathlib.Path(__file__).with_name("section.html.j2"),
    needs=("decoding", "decoding_choice", "metrics"),
    facts=_facts,
)
