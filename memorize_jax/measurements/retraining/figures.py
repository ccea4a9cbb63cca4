"""Accuracy after layers were retrained; and three ways to ask where memorization is, side by side."""

import pandas as pd

from memorize_jax.figures.curves import (
    between_note,
    draw_curve,
    draw_mean,
    epoch_range,
    heading,
    interpolated,
    seeds_note,
    subject,
)
from memorize_jax.figures.figure import Figure
from memorize_jax.figures.style import (
    COLORS,
    FLOOR,
    MARKER_CYCLE,
    Drawing,
    drawn,
    epoch_axis,
    group_style,
    layer_axis,
    legend_below,
    number_lowest,
    shade,
    subplots,
)
from memorize_jax.measurements.retraining.effects import NONE, from_earliest, retrained_layers
from memorize_jax.studies.study import Study

LEVEL = 0.95
GROUPS = {
    "permuted": "permuted examples: assigned labels",
    "restored": "permuted examples: true labels",
    "unpermuted": "unpermuted examples, the only ones trained on",
    "test": "test",
}


@drawn()
def draw_retraining(study: Study) -> Drawing:
    """Draws accuracy by epochs of retraining, a panel for each group, a curve for each layer, from dark to light."""
    table = study.tables["retraining"]
    rows, final = from_earliest(table), table[table["layer"] == NONE]
    layers = rows.sort_values("layer_number").drop_duplicates("layer")["layer"].tolist()
    groups = {group: title for group, title in GROUPS.items() if rows[f"{group}_accuracy"].notna().any()}
    lines = -(-len(groups) // 2)
    figure, axes = subplots(lines, 2, figsize=(9.6, 1.4 + 2.7 * lines), sharex=True, sharey=True, squeeze=False)
    fewest = len(study.seeds)
    for axis, (group, title) in zip(axes.flat, groups.items(), strict=False):
        for index, layer in enumerate(layers):
            # Where one seed ended before others, its last value stands for what follows.
            curve = interpolated(rows[rows["layer"] == layer], "retrained_epochs", f"{group}_accuracy", held=True)
            style = {"color": shade(index, len(layers)), "marker": MARKER_CYCLE[index % len(MARKER_CYCLE)]}
            style |= {"markersize": 4, "label": layer}
            fewest = min(fewest, draw_curve(axis, curve, level=LEVEL, scale=100, **style))
        axis.axhline(100 * final[f"{group}_accuracy"].mean(skipna=False), label="final network", **FLOOR)
        axis.set_title(title, fontsize=9.5)
    for axis in axes.flat[len(groups) :]:
        axis.remove()
    panels = axes.flat[: len(groups)]
    for axis in panels:
        epoch_axis(axis, rows["retrained_epochs"].max(), "epochs of retraining")
        axis.label_outer()
    number_lowest(panels)
    for axis in panels[-2:]:
        axis.set_xlabel("epochs of retraining")
    for axis in axes[:, 0]:
        axis.set_ylabel("accuracy (%)")
    legend_below(figure, axes.flat[:1], 7, last="final network", fontsize=8.5)
    whose = ", each seed's own" if rows["rewind_epoch"].nunique() > 1 else ""
    start = f"each layer put back to epoch {epoch_range(rows['rewind_epoch'])}{whose}, all others as they ended"
    between = max(
        (between_note(rows, "retrained_epochs", f"{group}_accuracy", ("layer",)) for group in groups), key=len
    )
    held = "after the end of a seed its last value stands" if _ends(study) else ""
    heading(figure, subject(study), start, seeds_note(study, LEVEL, fewest), between, held)
    return figure


def _ends(study: Study) -> str:
    """After how many epochs of retraining seeds ended, where they differ in some layer; "" where none does."""
    ends = from_earliest(study.tables["retraining"]).groupby(["layer", "seed"])["retrained_epochs"].max()
    return epoch_range(ends) if (ends.groupby("layer").nunique() > 1).any() else ""


def _remark(study: Study) -> str:
    ends = _ends(study)
    held = "from there on the last value of a seed stands in the mean until the others have ended."
    return f"Retraining ended after {ends} epochs, for each seed and layer at its own: {held}" if ends else ""


def _rewound(study: Study) -> pd.DataFrame:
    """[seeds, layers]: most that any rewind epoch gives back of the true labels of permuted examples."""
    table = study.tables["rewinding"]
    is_own = table["source"].isna() | (table["source"] == "self")
    own = table[is_own & (table["into"] == "final") & (table["num_layers"] == 1)]
    return own.pivot_table(index="seed", columns="layer", values="restored_accuracy", aggfunc="max")


def _retrained(study: Study, moment: str) -> pd.DataFrame:
    """[seeds, layers]: accuracy on assigned labels of permuted examples "before" or "after" retraining."""
    table = study.tables["retraining"]
    rows = {
        seed: {one.layer: getattr(one, moment)["permuted_accuracy"] for one in retrained_layers(own)}
        for seed, own in table.groupby("seed")
    }
    return pd.DataFrame.from_dict(rows, orient="index")


@drawn()
def draw_localization(study: Study) -> Drawing:
    """Draws by layer what rewinding gives back, what retraining brings back, and where the flipped units are."""
    hidden = study.layers[:-1]
    figure, axes = subplots(1, 3, figsize=(11.5, 4.8), sharey=True)
    flips, ends, counts = study.tables["flipping_layers"], study.at_stage("metrics", "final"), []

    def curve(axis, wide, group, label, **changes):
        # Units to switch off are in hidden layers alone, but the output is rewound and retrained like any layer.
        layers = study.layers if study.layers[-1] in wide else hidden
        style = group_style(group) | {"label": label} | changes
        counts.append(
            draw_mean(axis, range(len(layers)), wide.reindex(columns=layers), level=LEVEL, scale=100, **style)
        )
        layer_axis(axis, layers)

    curve(axes[0], _rewound(study), "restored", "true labels, layer rewound")
    peak = 100 * study.tables["metrics"].groupby("seed")["restored_accuracy"].max().mean(skipna=False)
    axes[0].axhline(peak, color="black", linewidth=1, linestyle=(0, (1, 2)), label="their highest while training")
    axes[0].set(
        title="rewound to its most favorable epoch:\nare true labels back?", ylabel="accuracy, or share of units (%)"
    )
    before = {"color": COLORS["train"], "linestyle": (0, (1.5, 1.2)), "marker": "x", "band": False}
    curve(axes[1], _retrained(study, "before"), "permuted", "assigned labels, before retraining", **before)
    curve(axes[1], _retrained(study, "after"), "permuted", "assigned labels, after retraining")
    axes[1].set_title("retrained without permuted examples:\nare assigned labels back?")
    for axis, group in zip(axes, ("restored", "permuted"), strict=False):
        axis.axhline(100 * ends[f"{group}_accuracy"].mean(skipna=False), **FLOOR | {"label": "final network"})
    for kind, group in ((True, "permuted"), (False, "unpermuted")):
        own = flips[flips["is_permuted"].astype(bool) == kind]
        if len(own):
            own = own.pivot(index="seed", columns="layer", values="share")
            curve(axes[2], own, group, f"units of {group} examples", marker="P" if kind else "o")
    sizes = 100 * flips.groupby("layer")["share_of_units"].mean().reindex(list(hidden)).to_numpy(float)
    look = {"color": "black", "linewidth": 1, "linestyle": "-.", "label": "share of all units"}
    axes[2].plot(range(len(hidden)), sizes, **look)
    axes[2].set_title("units that flip a prediction:\nin which layer are they?")
    layer_axis(axes[2], hidden)
    for axis in axes:
        axis.title.set_fontsize(9.5)
    axes[0].set_ylim(0, 102)
    legend_below(figure, axes, 4, fontsize=8.5)
    heading(figure, subject(study), seeds_note(study, LEVEL, min(counts)))
    return figure


def _obstacle(study: Study) -> str:
    if (study.tables["retraining"]["num_layers"] == 1).any():
        return ""
    return f"no layer was retrained by itself; do it with: {study.command('retraining')} --retrain_layers=each"


def _obstacle_of_localization(study: Study) -> str:
    if len(study.layers) < 2:
        return "the network has no hidden layer"
    if study.permuted_fraction == 0:
        return "no labels were permuted"
    if _rewound(study).empty:
        ask = f"{study.command('rewinding')} --rewind_layers=each --rewind_into=final"
        return f"no single layer was rewound in the final network; do it with: {ask}"
    return _obstacle(study)


def _remark_on_localization(study: Study) -> str:
    flips = study.tables["flipping_layers"]
    counts = [
        f"{epoch_range(own['num_examples'])} {group}"
        for kind, group in ((True, "permuted"), (False, "unpermuted"))
        if len(own := flips[flips["is_permuted"].astype(bool) == kind])
    ]
    if not counts:
        return ""
    whose = " of each seed" if len(study.seeds) > 1 else ""
    there = (
        f"The right panel rests on {' and '.join(counts)} examples{whose}, and has no output layer, whose units are "
    )
    return f"{there}the classes."


FIGURES = (
    Figure(
        "retraining",
        "Retraining one layer on unpermuted examples alone",
        "One layer is put back to where it began, all others stay as they ended, and it is trained on unpermuted "
        "examples alone. Where permuted examples get their assigned labels back, which that layer then never saw, "
        "other layers hold them. Where instead their true labels come, it was needed. After Maini et al. (2023).",
        ("metrics", "retraining"),
        draw_retraining,
        _obstacle,
        remark=_remark,
    ),
    Figure(
        "localization",
        "Where is memorization? Three answers of one network",
        "Left: layers whose rewinding gives permuted examples their true labels back; Stephenson et al. (2021) find "
        "the late ones. Middle: layers after whose retraining assigned labels are back, so that others hold them; "
        "Maini et al. (2023) find nearly all. Right: where the units are whose removal flips a prediction; Maini et "
        "al. find them in all layers. The three need not agree, as they ask different questions.",
        ("metrics", "retraining", "rewinding", "flipping_layers"),
        draw_localization,
        _obstacle_of_localization,
        remark=_remark_on_localization,
    ),
)
