"""The chart that opens a report, as an object: what `memorize_jax.explore` returns."""

import dataclasses
import html
import pathlib
from typing import Any

from memorize_jax.explorer.chart import chart
from memorize_jax.explorer.explored import explored
from memorize_jax.measurements.registry import open_study
from memorize_jax.studies.study import Study

# Of the frame in a notebook.
HEIGHT = 780


@dataclasses.dataclass(frozen=True, repr=False)
class Exploration:
    """A chart to hover, move and click; at the end of a notebook's cell it is shown, without a network.

    Attributes:
      chart: of Altair.
      workdir: folder of the study that it is of.
    """

    chart: Any
    workdir: pathlib.Path

    def __repr__(self) -> str:
        return f"Exploration({str(self.workdir)!r})"

    def page(self) -> str:
        """The chart as a page in HTML that holds all that it needs."""
        # Errors alone are said: that a run has no such examples is none.
        return self.chart.to_html(inline=True, embed_options={"logLevel": 1})

    def save(self, path: str | pathlib.Path) -> pathlib.Path:
        """Writes the page into a file, and returns its path."""
        pathlib.Path(path).write_text(self.page(), encoding="utf-8")
        return pathlib.Path(path)

    def _repr_html_(self) -> str:
        # A frame, for the chart's scripts and those of the notebook must not meet.
        return f'<iframe srcdoc="{html.escape(self.page())}" width="100%" height="{HEIGHT}" style="border: 0"></iframe>'


def explore(study: Study | str | pathlib.Path) -> Exploration:
    """Makes the chart that opens a report, layer by epoch, with a slider and lists of its own.

    Args:
      study: opened by `open_study`, or its folder.

    Raises:
      ValueError: there is no geometry to explore, or one that cannot be compared between runs; says which command
        measures it.
    """
    study = study if isinstance(study, Study) else open_study(study)
    found = explored(study)
    if found is None:
        runs = study.tables["geometry"].get("run", ()) if "geometry" in study.tables else ()
        if reason := study.not_comparable("geometry", runs):
            raise ValueError(reason)
        raise ValueError(
            f"expected geometry of one network, or of several seeds of it at an epoch that all share, in "
            f"{study.workdir}, got tables {', '.join(study.tables)}; measure it with: {study.command('geometry')}"
        )
    return Exploration(chart(found), study.workdir)
