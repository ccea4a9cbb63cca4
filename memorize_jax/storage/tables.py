"""Tables: their columns, and how they are written and read."""

import pathlib
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from memorize_jax.storage.files import write_text

# What tables have in common; what columns mean is in `measurements.columns` and in the rooms.
ACCURACIES = ("train_accuracy", "unpermuted_accuracy", "permuted_accuracy", "restored_accuracy", "test_accuracy")
MEASURES = ("capacity", "radius", "dimension", "center_correlation", "capacity_standard_error")
PLACE = ("seed", "epoch", "layer", "layer_number")
SIZES = ("num_classes", "num_valid_classes", "examples_per_class", "num_draws", "kappa", "status")

JOINT = (
    *("joint_capacity", "joint_capacity_standard_error", "joint_radius", "joint_dimension", "joint_utility"),
    *("joint_center_alignment", "joint_axis_alignment", "joint_center_axis_alignment", "joint_active_fraction"),
    *("joint_kkt_residual", "joint_classes", "joint_status"),
)
RESAMPLED = (
    *("example_repeats", "capacity_example_sd", "radius_example_sd", "dimension_example_sd"),
    "joint_capacity_example_sd",
)
AROUND_K = ("capacity_fewer_components", "capacity_more_components")
DIRECTIONS = (
    *("participation_ratio", "participation_ratio_corrected", "class_participation_ratio"),
    *("class_participation_ratio_corrected", "participation_status", "two_nn_dimension"),
)

METRICS = ("epoch", "loss", *ACCURACIES, "seconds")
RESTORES = ("epoch", "failed_epoch", "failed_step", "learning_rate")
GEOMETRY = (
    *(*PLACE, "group", *MEASURES, "num_center_components", "residual_correlation"),
    *("least_retained_center_norm", "largest_kkt_residual", *SIZES, *AROUND_K, *JOINT, *RESAMPLED),
    *DIRECTIONS,
)
REWINDING = (
    *("seed", "into", "layer", "layer_number", "num_layers", "rewind_epoch", "bn", "loss", *ACCURACIES, "num_test"),
    "source",
)
CLAIMS = ("claim", "figure", "statement", "quantity", "measured", "low", "high", "threshold", "verdict", "reason")
DOUBLE_DESCENT = (
    *("seed", "width", "num_parameters", "moment", "epoch", "layer", "layer_number", *ACCURACIES),
    *(*MEASURES, "num_center_components", *SIZES, *JOINT, *RESAMPLED),
)
GRADIENTS = (
    *(*PLACE, "group", "part", "squared_norm", "cosine_with_ind", "cosine_with_permuted", "num_examples"),
    *("data_classes", "form", "bn", "weighting", "centering"),
)
DECODING = (
    *(*PLACE, "method", "labels", "train_accuracy", "restored_accuracy", "validation_accuracy"),
    *("clean_validation_accuracy", "test_accuracy", "num_features", "num_fitted", "least_components"),
    "most_components",
)
DECODING_CHOICE = (
    *("seed", "epoch", "method", "labels", "validation_accuracy", "layer", "test_accuracy"),
    *("clean_layer", "clean_test_accuracy", "oracle_layer", "oracle_test_accuracy"),
)
CAPACITY_CHECK = (
    *(*PLACE, "group", "mean_field_capacity", "mean_field_standard_error", "simulated_capacity"),
    *("simulated_standard_error", "bound", "undecided", "num_classes", "examples_per_class", "num_inputs"),
    *("num_draws", "num_dichotomies", "num_repetitions", "joint_capacity", "joint_standard_error"),
    *("joint_classes", "joint_status"),
)
UMAP = ("seed", "epoch", "stage", "layer", "layer_number", "group", "example", "true", "assigned", "x", "y")
EXAMPLES = ("seed", "group", "example", "true", "assigned", "height", "width", "channels", "pixels")
SPHERES = ("seed", "example", "label", "axis_0", "axis_1", "axis_2", "axis_3", "axis_4")

# Columns that tables of the first version lack; there they are NaN.
ADDED = {*AROUND_K, *JOINT, *RESAMPLED, *DIRECTIONS, "joint_standard_error", "data_classes"}
# Columns of text; all others hold numbers.
TEXT = {
    *("layer", "group", "part", "form", "bn", "weighting", "centering", "method", "labels", "moment", "into", "stage"),
    *("pixels", "clean_layer", "oracle_layer", "run", "state"),
    *(set(CLAIMS) - {"measured", "low", "high"}),
}


def table_text(rows: Sequence[dict], columns: Sequence[str]) -> str:
    """A table as csv: floats with all their digits, the same on every system."""
    return pd.DataFrame(list(rows), columns=list(columns)).to_csv(index=False, lineterminator="\n")


def write_table(path: str | pathlib.Path, rows: Sequence[dict], columns: Sequence[str]) -> None:
    """Writes a table whole; its folder is made. A row that lacks a column or has one too many raises ValueError."""
    for row in rows:
        if set(row) != set(columns):
            raise ValueError(f"expected columns {sorted(columns)}, got {sorted(row)}")
    write_text(pathlib.Path(path), table_text(rows, columns))


def read_table(
    path: str | pathlib.Path,
    columns: Sequence[str],
    made_by: str,
    *,
    text: Collection[str] = TEXT,
    added: Collection[str] = ADDED,
) -> pd.DataFrame:
    """Reads a csv file; columns besides those expected are kept.

    Args:
      made_by: the command that makes it, for the error message.
      text: columns that hold text; all others must hold numbers.
      added: columns that tables of the first version lack, where they become NaN.

    Raises FileNotFoundError, or ValueError if a column is missing, there are no rows, or it is not a table.
    """
    path, again = pathlib.Path(path), f"make the table again with: {made_by}"
    if not path.is_file():
        raise FileNotFoundError(f"no table {path}; make it with: {made_by}")
    try:
        # A run's name is a hash, which may look like a number.
        table = pd.read_csv(path, dtype={"run": str})
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); {again}") from error
    lacking = [column for column in columns if column not in table.columns]
    if missing := [column for column in lacking if column not in added]:
        raise ValueError(f"{path}: expected columns {', '.join(missing)}; {again}")
    if table.empty:
        raise ValueError(f"{path} is damaged (no rows); {again}")
    table = table.assign(**dict.fromkeys(lacking, float("nan")))
    for column in columns:
        if column not in text and not pd.api.types.is_numeric_dtype(table[column]):
            is_wrong = np.isnan(np.asarray(pd.to_numeric(table[column], errors="coerce"), float))
            wrong = table[column].tolist()[is_wrong.argmax()]
            raise ValueError(f"{path} is damaged ({column} {wrong!r}); {again}")
    return table
