"""What the report says of networks of growing width."""

from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, make_view


def _double_descent(study):
    numbers = {
        "num_parameters": Number("parameters", "d"),
        "train_accuracy": Number("training", "percent"),
        "test_accuracy": Number("test", "percent"),
        "capacity": Number("capacity", ".4f"),
        "radius": Number("radius", ".3f"),
        "dimension": Number("dimension", ".2f"),
        "examples_per_class": Number("M, examples per class", "d"),
        "center_correlation": Number("center correlation", ".3f"),
    }
    rows = study.tables["double_descent"].sort_values(["moment", "width"])
    return make_view("double_descent", "By width", rows, {"moment": "epoch", "width": "width"}, numbers)


SECTION = Section("Networks of growing width", {"double_descent": ((), _double_descent)})
