"""What the report says of the similarity of layers."""

import pandas as pd

from memorize_jax.epochs import STAGES
from memorize_jax.measurements.similarity.chosen import between_runs, over_epochs
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, if_there, make_view

KEY = ["seed", "group", "layer_a"]
COLUMNS = {
    "changed": Number("final with best epoch", ".3f"),
    "other_best": Number("other run, best epochs", ".3f"),
    "other_final": Number("other run, final epochs", ".3f"),
}


def _similarity(study):
    table = study.tables["similarity"]
    epochs = {stage: study.epochs_of(stage) for stage in STAGES}
    changed = over_epochs(table, epochs["best"])
    found = {"changed": changed[changed["epoch_a"] == changed["seed"].map(epochs["final"])]}
    found |= {f"other_{stage}": between_runs(table, stage, epochs) for stage in STAGES}
    columns = {name: rows.set_index(KEY)["cka_debiased"] for name, rows in found.items()}
    order = table.sort_values(["group", "layer_number_a"])[KEY].drop_duplicates()
    rows = order.join(pd.DataFrame(columns).reindex(columns=list(COLUMNS)), on=KEY)
    texts, note = {"group": "group", "layer_a": "layer"}, "Debiased CKA of every layer; 1 = same."
    return make_view("similarity", "Similarity of layers", rows, texts, if_there(rows, COLUMNS), note=note, whole=table)


SECTION = Section("Which layers change, and where networks part", {"similarity": (("metrics",), _similarity)})
