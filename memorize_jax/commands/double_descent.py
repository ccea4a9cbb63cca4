"""Trains networks of growing width on slightly permuted labels, and measures the test manifolds of each.

    python -m experiments.double_descent --workdir=runs/descent --preset=double_descent_small --widths=1,2,4,8

Every width is a complete run in width_<k>/ of the folder, or with --seeds a folder of runs; the same command resumes
where it stopped. Writes results/double_descent.csv and figures/fig4c.svg, fig4d.svg and fig4e.svg.
"""

import dataclasses
from collections.abc import Collection

from memorize_jax.analysis.settings import GeometrySettings
from memorize_jax.commands import cli
from memorize_jax.commands.execute import execute
from memorize_jax.measurements.registry import get_measurement, open_study
from memorize_jax.presets import Preset
from memorize_jax.report.catalog import draw
from memorize_jax.runs.folder import RunFolder, check_writable
from memorize_jax.runs.prepare import prepare
from memorize_jax.studies.index import check_place
from memorize_jax.studies.plan import StudyPlan, make_plan


def define() -> None:
    """Defines the flags."""
    cli.flags_of_training("double_descent_small")
    cli.flags_of(GeometrySettings)
    cli.flag("widths", "Widths of the networks, e.g. 1,2,4,8. Default: those of the preset.")


def parse_widths(text: str) -> list[int]:
    """Reads a list of widths like "1,2,4,8"; gives them in order, each once; raises ValueError for another text."""
    items = [item.strip() for item in text.split(",")]
    if not all(item.isdecimal() and int(item) >= 1 for item in items):
        raise ValueError(f"expected widths like 1,2,4,8, got {text!r}")
    return sorted({int(item) for item in items})


def plan_of(preset: Preset, seeds: str | None) -> StudyPlan:
    """The plan of a preset: one of its widths, if it has some."""
    axes = {"width": parse_widths(preset.widths)} if preset.widths else {}
    return make_plan(preset.run, axes, seeds, by_value=True)


def run_widths(
    workdir: str, plan: StudyPlan, preset: Preset, *, together: bool = False, asked: Collection[str] = ()
) -> None:
    """Trains and measures networks of growing width, after all that can be wrong with the last of them was checked.

    What is `asked` of runs that are finished, see `has_asked`.
    """
    check_writable(RunFolder(workdir).workdir)
    check_place(workdir, plan)
    splits, measurement = None, get_measurement("double_descent")
    for planned in plan.runs():
        for folder, config in plan.folders(workdir, planned).items():
            # The data are in memory once.
            splits, labels = prepare(folder.workdir, config, splits)
            measurement.check(config, splits, labels, *preset.of_all(measurement))
    execute(workdir, plan, preset, [measurement], together=together, asked=asked)


def main() -> None:
    """Reads the flags, trains and measures."""
    workdir, preset = cli.required_workdir(), cli.chosen()
    if cli.FLAGS.widths:
        preset = dataclasses.replace(preset, widths=cli.FLAGS.widths)
    if not preset.widths:
        raise ValueError("expected --widths=1,2,4,8, for this preset has none")
    cli.check_seeds(cli.FLAGS.seeds)
    cli.check_axes(["width"])
    plan = plan_of(preset, cli.FLAGS.seeds)
    run_widths(workdir, plan, preset, together=cli.FLAGS.together, asked=cli.asked())
    folder, figures = RunFolder(workdir), get_measurement("double_descent").figures
    names = ", ".join(path.name for path in draw(open_study(workdir), [figure.name for figure in figures]))
    print(f"measured: {folder.results / 'double_descent.csv'}; drawn in {folder.figures}: {names}")
