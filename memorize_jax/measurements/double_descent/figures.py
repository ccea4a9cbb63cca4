"""Accuracy and geometry by model size (figures 4C-E)."""

from memorize_jax.figures.bound import bound_remark, dimension_remark, draw_bound, examples_note
from memorize_jax.figures.curves import draw_mean, heading, seeds_note, subject
from memorize_jax.figures.figure import Figure, sentences
from memorize_jax.figures.joint import KINDS, LABELS, any_bound, has_joint
from memorize_jax.figures.style import Drawing, drawn, legend_below, subplots
from memorize_jax.studies.study import Study

JOINT = ("joint_capacity", "joint_dimension")
OWN_LABELS = {"joint_dimension": "joint dimension (directions)", "test_accuracy": "accuracy on test (%)"}
# Blue and orange as in the paper, of the palette of the other figures.
MOMENTS = {"best": ("#0072B2", "o", "-"), "final": ("#D55E00", "s", (0, (5, 1.5)))}
LEVEL = 0.95


@drawn()
def draw_double_descent(study: Study, *, columns: tuple[str, ...]) -> Drawing:
    """Draws columns of the table by number of parameters: accuracy, or the geometry of the test manifolds."""
    table = _drawn_rows(study)
    columns = tuple(column for column in columns if column not in JOINT or has_joint(table))
    widths = table.drop_duplicates("num_parameters").sort_values("num_parameters")
    fewest = len(study.seeds)
    figure, axes = subplots(1, len(columns), figsize=(4.8 * len(columns), 4.2), squeeze=False)
    for axis, column in zip(axes[0], columns, strict=True):
        scale = 100 if column.endswith("accuracy") else 1
        for moment, (color, marker, dashes) in MOMENTS.items():
            wide = _wide(table, moment, column)
            style = {"color": color, "marker": marker, "markersize": 4, "linestyle": dashes}
            style |= {"label": f"{moment} epoch"}
            fewest = min(fewest, draw_mean(axis, wide.columns, wide, level=LEVEL, scale=scale, **style))
        if column == "test_accuracy":
            final = 100 * _wide(table, "final", "train_accuracy").mean()
            axis.plot(final.index, final, color="#555555", linestyle=":", label="final epoch, training labels")
        if column in KINDS:
            draw_bound(axis, table)
            axis.set_ylim(bottom=0)
            axis.set_title(KINDS[column], fontsize=9)
        axis.set_xscale("log")
        axis.set_xlabel("parameters")
        axis.set_ylabel({**LABELS, **OWN_LABELS}[column])
        above = axis.secondary_xaxis("top")
        above.set_xticks(widths["num_parameters"], widths["width"], fontsize=8)
        above.tick_params(which="minor", length=0, labelsize=0)
        above.set_xlabel("width", fontsize=9)
    legend_below(figure, axes[0][:1], 4)
    layer = f"test manifolds at {table['layer'].iloc[0]}, {examples_note(table)} examples per class"
    layer = "" if columns == ("test_accuracy",) else layer
    heading(figure, subject(study), layer, seeds_note(study, LEVEL, fewest))
    return figure


def _left_out(table):
    """The rows of widths where, at their moment, the layer has too few units, so that a capacity is only a bound."""
    return any_bound(table, ("width", "moment"))


def _drawn_rows(study):
    """The table, without the joint geometry that is left out."""
    table = study.tables["double_descent"]
    return table.assign(**{column: table[column].mask(_left_out(table)) for column in JOINT})


def _wide(table, moment, column):
    own = table[table["moment"] == moment]
    return own.pivot(index="seed", columns="num_parameters", values=column)


def _remark(study: Study, *, columns: tuple[str, ...]) -> str:
    remarks = {"capacity": bound_remark, "dimension": dimension_remark}
    table = study.tables["double_descent"]
    of_joint = _joint_remark(table) if {*columns} & {*JOINT} and has_joint(table) else ""
    return sentences(*(own(table) for column, own in remarks.items() if column in columns), of_joint)


def _joint_remark(table):
    gone = _left_out(table)
    widths = ", ".join(_width(width, table["moment"], own) for width, own in table[gone].groupby("width"))
    why = "Joint geometry is left out where units are too few, and the capacity of some seed is only a bound"
    left_out = f"{why}: width {widths}."
    classes = table["joint_classes"][~gone]
    least, most = classes.min(), classes.max()
    drawn = (
        f"It is of {least:g} to {most:g} classes at a time, the more the wider the layer: compare epochs of a width."
    )
    return sentences(left_out if widths else "", drawn if least < most else "")


def _width(width, moments, left_out):
    """A width that is left out, and at which moment if not at all of them."""
    own = left_out["moment"].unique()
    return str(width) if set(own) == set(moments) else f"{width} ({own[0]} epoch only)"


def _obstacle(study: Study, *, columns: tuple[str, ...]) -> str:
    table = study.tables["double_descent"]
    others = [name for name in study.axes if name not in ("width", "seed") and table[name].nunique(dropna=False) > 1]
    return f"the networks differ also in {', '.join(others)}; draw those of each alone" if others else ""


def _entry(name, title, look_for, *columns):
    needs, axes = ("double_descent",), ("width",)
    figure = Figure(name, title, look_for, needs, draw_double_descent, _obstacle, axes, remark=_remark)
    return figure.of(columns=columns)


FIGURES = (
    _entry(
        "fig4c",
        "Double descent: accuracy by model size",
        "In the paper, with a tenth of the labels permuted, test accuracy at the final epoch first rises with the "
        "number of parameters, falls where the training labels are just learned, and rises again; at the best epoch "
        "it only rises.",
        "test_accuracy",
    ),
    _entry(
        "fig4d",
        "Double descent: radius and center correlation",
        "Radius and center correlation of the test manifolds change steadily with model size in the paper, at the "
        "final epoch as at the best.",
        "radius",
        "center_correlation",
    ),
    _entry(
        "fig4e",
        "Double descent: dimension",
        "In the paper, the dimension of the test manifolds falls, rises and falls again with model size at the final "
        "epoch, the mirror image of the accuracy, and has no such bend at the best epoch. Joint dimension is not in "
        "the paper.",
        "dimension",
        "joint_dimension",
    ),
    _entry(
        "descent_capacity",
        "Double descent: capacity",
        "What radius, dimension and center correlation come to: the capacity of the test manifolds. Not in the paper.",
        "joint_capacity",
        "capacity",
    ),
)
