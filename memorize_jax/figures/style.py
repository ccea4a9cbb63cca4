"""Sole owner of matplotlib: the look of all figures, and how they are saved."""

import contextlib
import functools
import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from memorize_jax.storage.files import replacing

# A notebook names its own way to show figures to all programs it starts; where that is not installed, matplotlib would
# refuse to be imported. Ours are only written to files, so it is left as matplotlib itself would set it, or unset.
_backend = os.environ.pop("MPLBACKEND", None) if "matplotlib" not in sys.modules else None
try:
    import matplotlib.style
    from matplotlib import colormaps, ticker
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.text import Text
finally:
    if _backend is not None:
        os.environ["MPLBACKEND"] = _backend
if _backend:
    with contextlib.suppress(ValueError):
        matplotlib.rcParams["backend"] = _backend

# Okabe-Ito: distinct for the color-blind and in print. One color per group in every figure.
COLORS = {"unpermuted": "#0072B2", "permuted": "#D55E00", "restored": "#009E73", "test": "#AA4499", "train": "#555555"}
# Where colors fail, markers and dashes tell the groups apart.
MARKERS = {"unpermuted": "o", "permuted": "s", "restored": "^", "test": "D", "train": "."}
DASHES = {"unpermuted": "-", "permuted": (0, (5, 1.5)), "restored": (0, (6, 1.5, 1, 1.5)), "test": (0, (1.5, 1.2))}
FLOOR = {"color": "#777777", "linewidth": 1.2, "linestyle": (0, (8, 4))}
# Layers, widths, networks: as many curves as there are, told apart by marker as well as by shade.
MARKER_CYCLE = "osD^vP<X>*"
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "svg.fonttype": "path",
    # The same figure gives the same file.
    "svg.hashsalt": "memorize_jax",
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
}
# The formulas of our own labels and of tick labels; any other dollar sign is part of a name.
FORMULA = re.compile(r"\$(R|D|_\{(10|dep|ind)\}|\\mathdefault\{[^$]*\})\$")


class Drawing(Figure):
    """A figure that no window and no notebook knows of; a notebook shows it where it ends a cell."""

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        with matplotlib.style.context(STYLE, after_reset=True):
            self.savefig(content, format="png", dpi=100)
        return content.getvalue()


def drawn(**changes: object) -> Callable[[Callable], Callable[..., Any]]:
    """Decorates (what to draw, **options) -> figure: the result takes (what, path, **options) and returns the path.

    The figure is drawn in the look of all figures, but for `changes`, whatever the reader's own settings are. Without a
    path, None, it is returned.
    """

    def decorate(draw):
        @functools.wraps(draw)
        def draw_into(what, path, /, **options):
            with matplotlib.style.context({**STYLE, **changes}, after_reset=True):
                figure = draw(what, **options)
                _show_names(figure)
                return figure if path is None else _save(figure, path)

        return draw_into

    return decorate


def subplots(rows: int = 1, columns: int = 1, *, figsize: tuple[float, float], **options) -> tuple[Drawing, Any]:
    """A figure and its axes; options of `Figure.subplots`."""
    figure = Drawing(figsize=figsize)
    return figure, figure.subplots(rows, columns, **options)


def group_style(group: str, *, markers: bool = True) -> dict:
    """How the curve of a group is drawn: arguments of `plot`."""
    style = {"color": COLORS.get(group, "#333333"), "linestyle": DASHES.get(group, "-"), "label": group}
    return style | ({"marker": MARKERS.get(group, "o"), "markersize": 4} if markers else {})


def groups_in(groups: Iterable[str]) -> list[str]:
    """The groups that occur, in the order of all figures."""
    found = list(dict.fromkeys(groups))
    return [group for group in COLORS if group in found] + [group for group in found if group not in COLORS]


def shade(index: int, count: int):
    """A color for one of a sequence, from dark blue for the first to light green for the last."""
    return colormaps["viridis"](0.85 * index / max(count - 1, 1))


def layer_axis(axis, names: Sequence[str]) -> None:
    """Names the layers along the horizontal axis, the first at 0."""
    axis.set_xticks(range(len(names)), names, fontsize=8, rotation=60, ha="right", rotation_mode="anchor")
    axis.set_xlim(-0.5, len(names) - 0.5)
    axis.set_xlabel("layer")


def epoch_ticks(first: float, last: float) -> list[int]:
    """Round numbers between two epochs, for a logarithmic axis: powers of ten, or 1, 2, 5, 10, 20 on a short one."""
    steps = (1,) if last > 50 else (1, 2, 5)
    return [step * 10**power for power in range(7) for step in steps if first <= step * 10**power <= last]


def epoch_axis(axis, last: float, label: str = "epoch", *, first: float = 0) -> None:
    """Makes the horizontal axis one of epochs: linear up to 1, as epoch 0 has no logarithm, then logarithmic."""
    axis.set_xscale("symlog", linthresh=1)
    # What begins late spans few powers of ten.
    ticks = [0, *epoch_ticks(1, last)] if first < 1 else epoch_ticks(first, min(last, 50)) + epoch_ticks(51, last)
    ticks = [tick for tick in ticks if tick >= first]
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.set_xlim(left=0.95 * first - 0.05)
    axis.set_xlabel(label)


def number_lowest(panels) -> None:
    """Shows numbers below the lowest of some panels in two columns, which the grid knows only where none is missing."""
    for axis in panels[-2:]:
        axis.tick_params(labelbottom=True)


def legend_below(figure, axes, columns: int, *, last: str = "", **options) -> None:
    """Names every curve of some axes once, below the figure; `last` at the end."""
    entries = {}
    for axis in axes:
        entries |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    order = sorted(entries, key=lambda label: label == last)
    style = {"loc": "outside lower center", "ncols": columns, "frameon": False, "fontsize": 9} | options
    figure.legend([entries[label] for label in order], order, **style)


def mark_epochs(axis, best: float, final: float, note: str = "") -> None:
    """Marks the best and the final epoch on an axis of epochs."""
    axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    for epoch, name, side in ((best, f"best{note} ", "right"), (final, f" final{note}", "left")):
        axis.axvline(epoch, color="#888888", linewidth=1, linestyle=":")
        axis.text(epoch, 1.01, name, transform=axis.get_xaxis_transform(), ha=side, va="bottom", fontsize=8)


def _show_names(figure):
    """Leaves dollar signs in names as they are."""
    for text in figure.findobj(Text):
        text.set_parse_math("$" not in FORMULA.sub("", text.get_text()))


def _save(figure, path):
    """Writes a figure whole; the same figure gives the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        if path.suffix == ".svg":
            # `savefig` would draw everything twice, first for the layout alone, which this does on the way.
            figure.set_dpi(matplotlib.rcParams["savefig.dpi"])
            FigureCanvasSVG(figure).print_svg(beside, metadata={"Date": None})
        else:
            figure.savefig(beside, metadata={"Date": None})
    return path
