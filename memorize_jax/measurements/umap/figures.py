"""UMAP embeddings of layers (figures 2B and A.2)."""

from memorize_jax.figures.curves import first_seed_note, heading, subject
from memorize_jax.figures.figure import Figure
from memorize_jax.figures.style import COLORS, Drawing, colormaps, drawn, subplots
from memorize_jax.studies.study import Study

GROUPS = ("unpermuted", "permuted", "restored", "test")
STAGE_NAMES = {"init": "untrained", "best": "best epoch", "final": "final epoch"}
MARKERS = "os^Dv<>PX*"


@drawn(**{"axes.grid": False, "savefig.dpi": 150})
def draw_umap(study: Study, *, earlier: bool) -> Drawing:
    """Draws figure 2B or A.2: a row per epoch, a column per group, colored by the labels the group is analyzed under.

    Of several seeds the first is drawn, for places of different seeds have nothing in common; of two layers the last
    hidden one, or the earlier one (figure A.2).
    """
    table = study.tables["umap"]
    table = table[table["seed"] == study.seeds[0]]
    number = table["layer_number"].min() if earlier else table["layer_number"].max()
    table = table[table["layer_number"] == number]
    epochs, groups = sorted(table["epoch"].unique()), [group for group in GROUPS if group in set(table["group"])]
    size = (2.5 * len(groups) + 0.9, 2.5 * len(epochs) + 0.7)
    figure, axes = subplots(len(epochs), len(groups), figsize=size, squeeze=False, sharex="row", sharey="row")
    for row, epoch in zip(axes, epochs, strict=True):
        of_epoch = table[table["epoch"] == epoch]
        for axis, group in zip(row, groups, strict=True):
            _draw_panel(axis, of_epoch[of_epoch["group"] == group], "assigned" if group == "permuted" else "true")
        row[0].set_ylabel(_stage_name(of_epoch["stage"].iloc[0], epoch), fontsize=10)
    for axis, group in zip(axes[0], groups, strict=True):
        under = "assigned" if group == "permuted" else "true"
        axis.set_title(f"{group}\n({under} labels)", color=COLORS[group], fontsize=10)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8, markerscale=2)
    layer = f"{table['layer'].iloc[0]} (row {number} of the paper's table) by UMAP; its axes have no unit"
    heading(figure, subject(study), layer, first_seed_note(study))
    return figure


def _draw_panel(axis, rows, label):
    colors = colormaps["tab10"]
    for value in sorted(rows[label].unique()):
        own = rows[rows[label] == value]
        # Ten colors are too many to tell apart by color alone; a color that comes again has another marker.
        style = {"color": colors(value % 10), "marker": MARKERS[(value + value // 10) % len(MARKERS)]}
        axis.scatter(own["x"], own["y"], s=9, linewidth=0, alpha=0.85, label=f"class {value}", zorder=1, **style)
    # Thousands of points are smaller and quicker as one picture.
    axis.set_rasterization_zorder(1.5)
    # The axes of UMAP have neither meaning nor unit.
    axis.set_xticks([])
    axis.set_yticks([])


def _stage_name(stage, epoch):
    names = " and ".join(STAGE_NAMES[name] for name in str(stage).split("+") if name in STAGE_NAMES)
    return f"{names} ({epoch})" if names else f"epoch {epoch}"


def _obstacle(study: Study, *, earlier: bool) -> str:
    is_lacking = earlier and study.tables["umap"]["layer_number"].nunique() < 2
    return "the network has one hidden layer, so none is earlier than the last" if is_lacking else ""


FIGURES = (
    Figure(
        "fig2b",
        "UMAP embedding of the last hidden layer",
        "Points of a color and a marker share a label; near points have like activations, distances between clusters "
        "and the axes mean nothing. In the paper, at the best epoch unpermuted, restored and test examples form "
        "clusters by class, permuted ones are mixed; at the final epoch the permuted ones form clusters and the "
        "restored ones are mixed.",
        ("umap",),
        draw_umap,
        _obstacle,
    ).of(earlier=False),
    Figure(
        "figa2",
        "UMAP embedding of an earlier layer",
        "As figure 2B for a layer before those that memorize (row 15 of the table in the paper's VGG16, else the "
        "middle one): in the paper restored examples lie like unpermuted and test ones even at the final epoch.",
        ("umap",),
        draw_umap,
        _obstacle,
    ).of(earlier=True),
)
