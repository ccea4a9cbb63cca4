"""How the moving picture is laid out: side by side on a screen, one below the other on a phone."""

from typing import NamedTuple


class Layout(NamedTuple):
    """Sizes in pixels.

    Attributes:
      width: that it takes.
      along: of everything along epochs.
      beside: of the curves by layer.
      row: height of a layer.
      low: height of the curves of training.
      is_stacked: whether the curves by layer stand below the map, and legends below what they explain.
      columns: of the small maps of several runs.
    """

    width: int
    along: int
    beside: int
    row: int
    low: int
    is_stacked: bool
    columns: int


LAYOUTS = (
    Layout(1120, 560, 330, 22, 130, False, 5),
    Layout(712, 330, 210, 22, 120, False, 4),
    Layout(354, 268, 268, 20, 120, True, 2),
)
# Of the names of layers and the numbers of an axis, so that what stands in a column has one left edge.
LEFT = 62
