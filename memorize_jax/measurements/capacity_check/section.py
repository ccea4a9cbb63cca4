"""What the report says of simulated capacity."""

from memorize_jax.pages.section import Section
from memorize_jax.pages.views import Number, if_there, make_view

JOINT_CHECK = {
    "joint_capacity": Number("joint", ".4f"),
    "joint_standard_error": Number("± standard error", ".4f"),
    "joint_classes": Number("classes of a draw", "d"),
}


def _capacity_check(study):
    table = study.tables["capacity_check"]
    numbers = {
        **if_there(table, JOINT_CHECK),
        "mean_field_capacity": Number("mean-field", ".4f"),
        "mean_field_standard_error": Number("± standard error", ".4f"),
        "simulated_capacity": Number("simulated", ".4f"),
        "simulated_standard_error": Number("± standard error", ".4f"),
        "bound": Number("a bound only", "d"),
    }
    rows = table.sort_values(["epoch", "group", "layer_number"])
    texts = {"epoch": "epoch", "group": "group", "layer": "layer"}
    note = (
        "A bound of -1: all dimensions of the points together separate less than half of the labelings, so the "
        "capacity is below; of 1: a single feature separates half, so it is above."
    )
    return make_view("capacity_check", "Capacity by theory and by simulation", rows, texts, numbers, note=note)


SECTION = Section("", {"capacity_check": ((), _capacity_check)})
