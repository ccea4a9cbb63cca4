"""The figures of a page, by what they are about."""

import pathlib
import re
from typing import NamedTuple

from memorize_jax.figures import FIGURES, Figure, caption, missing
from memorize_jax.report.page import embedded
from memorize_jax.studies.study import Study

# Table that a figure is drawn from -> title of the part of the page where it stands, in the order of the page.
TOPICS = {
    "metrics": "The course of training",
    "geometry": "Geometry of the class manifolds, layer by layer",
    "rewinding": "Undoing memorization by rewinding layers",
    "gradients": "Where the gradient comes from",
    "decoding": "What the layers still know: subspace probes",
    "double_descent": "Networks of growing width",
}
OTHER = "More figures"
# Two figures of this width stand side by side.
MOST_POINTS = 540


class Drawn(NamedTuple):
    """A figure on a page.

    Attributes:
      name: of its file.
      title: a line.
      look_for: what to look for.
      address: of the image.
      is_wide: whether it takes the whole width of a page.
    """

    name: str
    title: str
    look_for: str
    address: str
    is_wide: bool


class NotDrawn(NamedTuple):
    """A figure that cannot be drawn.

    Attributes:
      name: of its file.
      title: a line.
      reason: why, or which command helps.
    """

    name: str
    title: str
    reason: str


def topic(figure: Figure) -> str:
    """The title of the part of the page where a figure stands."""
    about = [table for table in figure.needs if table != "metrics"] or ["metrics"]
    return TOPICS.get(about[0], OTHER)


def draw(study: Study, folder: pathlib.Path) -> tuple[dict[str, list[Drawn]], list[NotDrawn]]:
    """Draws every figure of the catalogue that the tables allow.

    Args:
      study: the tables.
      folder: for the files, named after the figures.

    Returns:
      title of a part -> its figures, in the order of the page; and those that could not be drawn.
    """
    drawn, rest = {title: [] for title in (*TOPICS.values(), OTHER)}, []
    for figure in FIGURES.values():
        reason = missing(figure, study)
        if reason:
            rest.append(NotDrawn(figure.name, figure.title, reason))
            continue
        path = figure.draw(study, folder / f"{figure.name}.svg")
        drawn[topic(figure)].append(
            Drawn(figure.name, figure.title, caption(figure, study), embedded(path), _is_wide(path))
        )
    return drawn, rest


def _is_wide(path):
    width = re.search(r'<svg[^>]* width="([\d.]+)pt"', path.read_text(encoding="utf-8"))
    return width is None or float(width[1]) > MOST_POINTS
