"""Where memorization takes place, by the settings of a sweep (no figure of the paper)."""

from typing import Any, NamedTuple

import pandas as pd

from memorize_jax.claims.geometries import JOINT
from memorize_jax.figures.curves import heading, mean_note, subject
from memorize_jax.figures.figure import ANY_FIELD, Figure, sentences
from memorize_jax.figures.style import MARKER_CYCLE, Drawing, drawn, layer_axis, legend_below, shade, subplots
from memorize_jax.measurements.geometry.shares import NEEDS, of_study
from memorize_jax.studies.study import Study

# Of the first field that varies colors, of the second dashes and markers, of the third panels: as many as can be told
# apart.
MOST = (8, 6, 6)
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1, 1.5)), (0, (9, 2)), (0, (3, 1, 1, 1, 1, 1)))
COLUMNS = 3
EVEN = "spread evenly"


class Field(NamedTuple):
    """A field that varies in a sweep, and its values in order; a field without a name has one, for all rows."""

    name: str = ""
    values: tuple = (None,)

    def of(self, rows: pd.DataFrame, value) -> pd.DataFrame:
        """The rows with one of the values."""
        return rows[rows[self.name] == value] if self.name else rows

    def occurring(self, rows: pd.DataFrame) -> list[tuple[int, str]]:
        """Number of every value that rows have, and what it is called."""
        there = set(rows[self.name]) if self.name else ()
        return [(number, _said(self.name, value)) for number, value in enumerate(self.values) if value in there]


def _said(name, value):
    return f"{name.replace('_', ' ')} {value if isinstance(value, str) else f'{value:g}'}"


def _varying(study: Study) -> list[Field]:
    """The fields that tell the runs apart: a rate that goes with the optimizer tells nothing more."""
    follows, runs = followers(study), study.tables["metrics"]
    fields = [Field(name, tuple(runs[name].drop_duplicates())) for name in study.axes if name not in follows]
    return [
        field if isinstance(field.values[0], str) else field._replace(values=tuple(sorted(field.values)))
        for field in fields
        if len(field.values) > 1
    ]


def followers(study: Study) -> dict[str, str]:
    """Field -> an earlier one that does not follow another itself, each of whose values has one value of it."""
    runs, found = study.tables["metrics"], {}
    for number, name in enumerate(study.axes):
        leaders = [other for other in study.axes[:number] if other not in found and runs[other].nunique() > 1]
        leader = next((other for other in leaders if (runs.groupby(other)[name].nunique() == 1).all()), None)
        if leader and runs[name].nunique() > 1:
            found[name] = leader
    return found


@drawn()
def draw_shares(study: Study) -> Drawing:
    """Draws the share of every hidden layer in the rise of permuted capacity, a line for each combination."""
    found, layers, fields = of_study(study), study.layers[:-1], _varying(study)
    colors, dashes, panels = [*fields, *[Field()] * (len(MOST) - len(fields))]
    count = len(panels.values)
    rows, columns = -(-count // COLUMNS), min(count, COLUMNS)
    size = (max(6.6, 3.6 * columns), 2.2 + 3.0 * rows)
    figure, axes = subplots(rows, columns, figsize=size, sharex=True, sharey=True, squeeze=False)
    for axis, panel in zip(axes.flat, panels.values, strict=False):
        _draw_panel(axis, panels.of(found.rows, panel), colors, dashes, layers)
        axis.set_title(_said(panels.name, panel) if panels.name else "", fontsize=10)
    for axis in list(axes.flat)[count:]:
        axis.set_visible(False)
    for axis in list(axes.flat)[max(count - columns, 0) : count]:
        axis.tick_params(labelbottom=True)
        axis.set_xlabel("layer")
    for axis in axes[:, 0]:
        axis.set_ylabel("share of memorization (%)")
    axes[0, 0].set_ylim(bottom=-3)
    _name_lines(axes[0, 0], found.rows, colors, dashes)
    legend_below(figure, [axes[0, 0]], 4, last=EVEN)
    what = f"share of each layer in the rise of permuted {found.kind} capacity from the best to the final epoch"
    fewest = found.rows.groupby(list(study.axes))["seed"].nunique().min()
    mean = mean_note(study, int(fewest))
    bands = f"{mean}, bands: lowest to highest seed" if mean else f"one seed ({study.seeds[0]})"
    heading(figure, subject(study), what, bands)
    return figure


def _draw_panel(axis, rows, colors, dashes, layers):
    for index, color in enumerate(colors.values):
        for number, dash in enumerate(dashes.values):
            own = dashes.of(colors.of(rows, color), dash)
            if not own.empty:
                # An interval about a mean of shares reaches below 0 and above 100 %.
                shares = 100 * own.pivot(index="layer", columns="seed", values="share").loc[list(layers)]
                color_of = shade(index, len(colors.values))
                axis.plot(range(len(layers)), shares.mean(axis=1), **_style(number if dashes.name else index, color_of))
                ends = {"color": color_of, "alpha": 0.15, "linewidth": 0}
                axis.fill_between(range(len(layers)), shares.min(axis=1), shares.max(axis=1), **ends)
    axis.axhline(100 / len(layers), color="#777777", linewidth=1, linestyle=":", label=EVEN)
    layer_axis(axis, layers)
    axis.set_xlabel(None)


def _style(number: int, color) -> dict[str, Any]:
    dashes, marker = DASHES[number % len(DASHES)], MARKER_CYCLE[number]
    return {"color": color, "linestyle": dashes, "marker": marker, "markersize": 4}


def _name_lines(axis, rows, colors, dashes):
    """Lines for the legend alone: one for each color, and one for each kind of dashes with its markers."""
    for index, text in colors.occurring(rows):
        color = shade(index, len(colors.values))
        axis.plot([], [], label=text, **({"color": color} if dashes.name else _style(index, color)))
    for number, text in dashes.occurring(rows):
        axis.plot([], [], label=text, **_style(number, "#555555"))


def _obstacle(study: Study) -> str:
    fields = _varying(study)
    if not fields:
        return f"the runs do not differ in {', '.join(study.axes)}"
    if not study.layers:
        return "the networks of the sweep differ in their layers, which cannot be compared"
    if len(study.layers) < 3:
        return "the network has one hidden layer, which has all of the memorization"
    if len(fields) > len(MOST):
        return f"the sweep varies {', '.join(field.name for field in fields)}; at most {len(MOST)} can be told apart"
    for (name, values), most in zip(fields, MOST, strict=False):
        if len(values) > most:
            return f"the sweep has {len(values)} values of {name}; at most {most} can be told apart"
    found = of_study(study)
    return f"no combination can be drawn: {_reasons(study, found.left_out)}" if found.rows.empty else ""


def _reasons(study: Study, left_out: dict[tuple, str]) -> str:
    """The combinations that are not drawn, those with the same reason together."""
    varying, by_reason = {field.name for field in _varying(study)}, {}
    for values, reason in left_out.items():
        named = [_said(name, value) for name, value in zip(study.axes, values, strict=True) if name in varying]
        by_reason.setdefault(reason, []).append(", ".join(named))
    return "; ".join(f"{' and '.join(which)} ({reason})" for reason, which in by_reason.items())


def _remark(study: Study) -> str:
    found = of_study(study)
    left_out = f"Not drawn: {_reasons(study, found.left_out)}." if found.left_out else ""
    mean_field = "The capacity is that of mean-field theory, for no run has joint capacity."
    follows = [f"The {name} goes with the {leader}." for name, leader in followers(study).items()]
    follows = " ".join(follows).replace("_", " ")
    return sentences(follows, "" if found.kind == JOINT else mean_field, left_out)


FIGURES_OF_SHARES = (
    Figure(
        "memorization_by_layer",
        "Where memorization takes place, by settings",
        "Every line is a combination of settings. A point is the share of a hidden layer in what the capacity of "
        "permuted manifolds gains from the best to the final epoch; the shares of all hidden layers add up to 100 %. "
        "The line is level where memorization is spread evenly, and steep at its end where the last layers memorize, "
        "as in the paper. Do the settings move it? Not in the paper.",
        NEEDS,
        draw_shares,
        _obstacle,
        axes=ANY_FIELD,
        remark=_remark,
    ),
)
