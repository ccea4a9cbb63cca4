"""What a page carries of the moving picture: charts for three widths, their data once, the scripts."""

import json

from memorize_jax.explorer.chart import choices, datasets, specification
from memorize_jax.explorer.explored import Explored
from memorize_jax.explorer.layout import LAYOUTS


def payload(explored: Explored) -> str:
    """JSON for `moving.js`: layouts from wide to narrow, datasets by name, the epochs of every run."""
    layouts = [{"width": layout.width, "spec": specification(explored, layout)} for layout in LAYOUTS]
    content = {"layouts": layouts, "datasets": datasets(explored), "epochs": explored.epochs}
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def lists(explored: Explored) -> dict[str, tuple[str, dict[str, str]]]:
    """Name of a parameter -> what its list on a page is called, and its values; only those with a choice."""
    titles = {"run": "run", "measure": "measure", "group": "map of", "layer": "mark", "rewound": "rewound: accuracy on"}
    found = choices(explored)
    return {name: (title, found[name]) for name, title in titles.items() if len(found[name]) > 1}


def finding(explored: Explored) -> str:
    """What the map shows, in words: where the first measure of the first run is highest at the end, and before."""
    measure, title = next(iter(explored.measures.items()))
    rows = explored.places[(explored.places["run"] == explored.runs[0]) & explored.places[measure].notna()]
    groups = choices(explored)["group"]
    group = next(name for name in groups if (rows["group"] == name).any())
    rows = rows[rows["group"] == group]
    last = rows[rows["epoch"] == rows["epoch"].max()]
    top = last.loc[last[measure].idxmax()]
    first = rows[rows["epoch"] == rows["epoch"].min()]
    bottom = last.loc[last[measure].idxmin()]
    before = f"at epoch {int(first['epoch'].iloc[0])} no layer had more than {first[measure].max():.3g}"
    return (
        f"Map of layers by epoch, of {title}, of {group} examples. At epoch {int(top['epoch'])} {top['layer']} has "
        f"most, {top[measure]:.3g}, and {bottom['layer']} least, {bottom[measure]:.3g}; {before}."
    )
