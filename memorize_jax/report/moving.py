"""The first thing on a page: the moving picture, and the figure that stands in for it where no script runs."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from memorize_jax.explorer.explored import Explored
from memorize_jax.explorer.payload import finding, lists, payload
from memorize_jax.explorer.vega import scripts
from memorize_jax.pages.page import packed
from memorize_jax.report.drawn import Drawn, Part

# The first of them that was drawn stands in for the moving picture.
STILLS = ("map_joint_capacity", "map_capacity", "fig3b", "fig3a")
TABLES = ("geometry", "metrics", "rewinding", "collapse")


class Moving(NamedTuple):
    """What a page needs for the moving picture.

    Attributes:
      epochs: of the slider, as it is at first.
      lists: parameter -> title of its list, value -> what it is called.
      shown: what the picture shows, which its caption depends on.
      finding: what the picture shows, in a sentence.
      tables: names of those that it is drawn from.
      payload: charts and data, packed.
      scripts: that draw them, packed.
      still: the figure that stands in; None where none was drawn.
    """

    epochs: list[int]
    lists: dict[str, tuple[str, dict[str, str]]]
    shown: Explored
    finding: str
    tables: list[str]
    payload: str
    scripts: str
    still: Drawn | None


def moving_picture(explored: Explored, tables: Collection[str], parts: Sequence[Part] = ()) -> Moving:
    """Makes what a page needs of what is shown; it carries `tables`, and `parts` have the figures that were drawn."""
    figures = {figure.name: figure for part in parts for figure in part.figures}
    return Moving(
        explored.epochs[explored.runs[0]],
        lists(explored),
        explored,
        finding(explored),
        [name for name in TABLES if name in tables],
        packed(payload(explored)),
        packed(scripts()),
        next((figures[name] for name in STILLS if name in figures), None),
    )
