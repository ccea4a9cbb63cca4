"""A figure of the catalog as an object: what `memorize_jax.plot` is."""

import pathlib
from typing import Any

from memorize_jax.figures.figure import missing
from memorize_jax.measurements.registry import figures, open_study
from memorize_jax.studies.study import Study


def plot(study: Study | str | pathlib.Path, name: str, path: str | pathlib.Path | None = None) -> Any:
    """Draws a figure of the paper, or one of ours, from the tables of a run or of several.

    Args:
      study: opened by `open_study`, or its folder.
      name: of the figure, as docs/figures.md lists them: "fig3b", "map_joint_capacity".
      path: of a file (.svg, .png, .pdf) to draw into.

    Returns:
      The figure of matplotlib, which notebooks show; the path where one was given.

    Raises:
      ValueError: no such figure, or one that these tables do not allow; says which command helps.
    """
    study = study if isinstance(study, Study) else open_study(study)
    if name not in figures():
        raise ValueError(f"expected a figure among {', '.join(figures())}, got {name!r}")
    if lacking := missing(figures()[name], study):
        raise ValueError(f"expected what {name} is drawn from in {study.workdir}: {lacking}")
    return figures()[name].draw(study, path if path is None else pathlib.Path(path))
