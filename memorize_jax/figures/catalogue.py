"""All figures of the paper: what each needs, what to look for in it, and how it is drawn."""

import pathlib
from collections.abc import Callable
from typing import NamedTuple

from memorize_jax.study import Study, command


class Figure(NamedTuple):
    """A figure of the paper, or one of our own.

    Attributes:
      name: of its file and of the flag --figure: "fig3a", "figa8", "map_capacity".
      title: a line.
      look_for: the caption, in a sentence or two: what to look for, and what the paper says of it.
      needs: names of the tables in `study.TABLES` that it is drawn from.
      draw: takes (study, path) and writes the figure.
      obstacle: takes a study and says why the figure does not apply to it, e.g. a figure of BatchNorm for a network
        without; "" if it does. Missing tables are not its business.
    """

    name: str
    title: str
    look_for: str
    needs: tuple[str, ...]
    draw: Callable[[Study, pathlib.Path], pathlib.Path]
    obstacle: Callable[[Study], str] = lambda study: ""


def missing(figure: Figure, study: Study) -> str:
    """Why a figure cannot be drawn from a study; "" if it can.

    Args:
      figure: of `FIGURES`.
      study: the tables.

    Returns:
      A clause that names the missing table and the command that makes it, or the obstacle.
    """
    for table in figure.needs:
        if table not in study.tables:
            return f"no table {table}; make it with: {command(table, study.workdir)}"
    return figure.obstacle(study)


FIGURES: dict[str, Figure] = {}
