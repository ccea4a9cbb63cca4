"""What the report says of few-shot learning."""

from memorize_jax.epochs import at_stages_or_epochs
from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, make_view

NUMBERS = {
    "simulated": Number("error", "percent"),
    "simulated_standard_error": Number("± draws", "percent"),
    "predicted_full": Number("predicted", "percent"),
    "predicted_paper": Number("by their formula", "percent"),
    "signal": Number("signal", ".3f"),
    "dimension": Number("dimension", ".2f"),
}


def _few_shot(study):
    table = study.tables["few_shot"]
    rows = at_stages_or_epochs(table, {seed: study.metrics_of(seed) for seed in study.seeds})
    rows = rows.sort_values(["stage", "num_shots", "group", "layer_number"])
    texts = {"stage": "epoch", "num_shots": "examples", "group": "group", "layer": "layer"}
    note = (
        "Means over ordered pairs of classes; chance is 50 %. Predicted from the geometry of the classes: by the "
        "formula of Sorscher et al. (2022), and by the same with a term that they leave out."
    )
    return make_view("few_shot", "Few-shot learning", rows, texts, NUMBERS, note=note, whole=table)


SECTION = Section("Learning a class from a few examples", {"few_shot": (("metrics",), _few_shot)})
