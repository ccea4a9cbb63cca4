"""A room's section of the report."""

import pathlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from memorize_jax.pages.views import View
from memorize_jax.studies.study import Study


class Section(NamedTuple):
    """What the report says of a measurement, beside its figures.

    Attributes:
      title: above its figures; "" puts them under "More figures", without words.
      views: name of a table -> (other tables that its view needs, the view); or another name, of a view of several
        tables. A view is None where there is nothing to show.
      words: template of what is said; None for nothing.
      needs: names of the tables that `facts` reads; without one of them nothing is said.
      facts: takes a study that has these, of runs that differ in the seed alone, and gives what the template asks for
        as `facts`; None if there is nothing to say.
      of_sweeps: names of the views that tell apart the runs of a sweep; its other tables are shown as they are.
    """

    title: str
    views: Mapping[str, tuple[tuple[str, ...], Callable[[Study], View | None]]] = {}
    words: pathlib.Path | None = None
    needs: tuple[str, ...] = ()
    facts: Callable[[Study], dict | None] = lambda study: None
    of_sweeps: frozenset[str] = frozenset()
