"""What a page carries of the moving picture: charts for three widths, their data once, the scripts."""

import json

import pandas as pd

from memorize_jax.explorer.chart import choices, datasets, specification
from memorize_jax.explorer.explored import Explored
from memorize_jax.explorer.layout import LAYOUTS


def payload(explored: Explored) -> str:
    """JSON for `moving.js`: layouts from wide to narrow, datasets by name, epochs and what errors are of every run."""
    layouts = [{"width": layout.width, "spec": specification(explored, layout)} for layout in LAYOUTS]
    of_runs = {"epochs": explored.epochs, "errors": explored.errors}
    content = {"layouts": layouts, "datasets": datasets(explored), **of_runs}
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def lists(explored: Explored) -> dict[str, tuple[str, dict[str, str]]]:
    """Name of a parameter -> what its list on a page is called, and its values; only those with a choice."""
    titles = {"run": "run", "measure": "measure", "group": "map of", "layer": "mark", "rewound": "rewound: accuracy on"}
    found = choices(explored)
    return {name: (title, found[name]) for name, title in titles.items() if len(found[name]) > 1}


def finding(explored: Explored) -> str:
    """What the map shows, in words: where the first measure of the first run is highest at the end, and before.

    What is known only as an upper bound is said to be no more than that, and is neither highest nor lowest.
    """
    run = explored.runs[0]
    own = explored.places[explored.places["run"] == run]
    measure = next(name for name in explored.measures if own[name].notna().any())
    rows = own[own[measure].notna()]
    group = next(name for name in choices(explored)["group"] if (rows["group"] == name).any())
    rows = rows[rows["group"] == group]
    epoch, begin = int(rows["epoch"].max()), int(rows["epoch"].min())
    whose = f", {run}" if len(explored.runs) > 1 else ""
    said = f"Map of layers by epoch, of {explored.measures[measure]}, of {group} examples{whose}. "
    said += f"At epoch {epoch}{_most_and_least(rows[rows['epoch'] == epoch], measure)}"
    if begin < epoch:
        said += f"; at epoch {begin} no layer had more than {rows.loc[rows['epoch'] == begin, measure].max():.3g}"
    return f"{said}."


def _most_and_least(rows: pd.DataFrame, measure: str) -> str:
    is_bound = rows["bound"].eq(True) & (measure == "joint")
    known, bounds = rows[~is_bound], rows[is_bound]
    parts = []
    if len(known) > 1:
        top, bottom = (known.loc[place] for place in (known[measure].idxmax(), known[measure].idxmin()))
        of_known = ", of the layers whose value is known," if len(bounds) else ""
        most = f"{of_known} {top['layer']} has most, {top[measure]:.3g}"
        parts.append(f"{most}, and {bottom['layer']} least, {bottom[measure]:.3g}")
    parts += [f" {row['layer']} has {row[measure]:.3g}" for _, row in known.iterrows() if len(known) == 1]
    parts += [f" {row['layer']} has at most {row[measure]:.3g}" for _, row in bounds.iterrows()]
    return ";".join(parts)
