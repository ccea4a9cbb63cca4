"""Draws the figures of the paper from the tables of a run, an ensemble, a sweep, or networks of growing width.

    python -m experiments.figures --workdir=runs/mine
    python -m experiments.figures --workdir=runs/mine --figure=fig3a,fig5,figa4

Without --figure all that can be drawn is, and a line says of every other one why not and which command helps.
"""

import pathlib

from memorize_jax.commands import cli
from memorize_jax.figures.figure import missing
from memorize_jax.measurements.registry import open_study
from memorize_jax.report.catalog import caption, draw, select
from memorize_jax.runs.folder import check_writable


def run(workdir: str | pathlib.Path, names: str = "all") -> list[pathlib.Path]:
    """Draws figures of a study, by names for `report.catalog.select`, and prints what they show, or why they cannot be.

    Raises:
      ValueError: a figure that there is not, or a name none of whose figures can be drawn.
      FileNotFoundError: no study there.
    """
    select(names)
    study = open_study(workdir)
    check_writable(study.workdir)
    chosen, asked = select(names, study.model), names.strip() != "all"
    reasons = {figure.name: missing(figure, study) for figure in chosen}
    for name in names.split(",") if asked else ():
        own = [reasons[figure.name] for figure in select(name)]
        if all(own):
            raise ValueError(f"{name.strip()} cannot be drawn: {own[0]}")
    possible = [figure for figure in chosen if not reasons[figure.name]]
    paths = draw(study, [figure.name for figure in possible])
    for figure, path in zip(possible, paths, strict=True):
        print(f"{path}: {figure.title}. {caption(figure, study) if asked else ''}".rstrip())
    for name, reason in reasons.items():
        if reason:
            print(f"not drawn: {name}: {reason}")
    return paths


def main() -> None:
    """Reads the flags and draws."""
    run(cli.required_workdir(), cli.figure_names(cli.FLAGS.figure or "all"))


def define() -> None:
    """Defines the flags."""
    cli.flags_of_all()
    cli.flag("figure", "Names with commas between them, e.g. fig3a,fig5,figa8, or all.")
