"""Trains and measures many runs: every combination of models, data sets, fractions, widths and seeds, or a list.

    python -m experiments.sweep --workdir=runs/fractions --grid=permuted_fraction=0,0.25,0.5,0.75,1 --seeds=0-2
    python -m experiments.sweep --workdir=runs/more --file=sweep.toml --cluster=slurm --slurm=partition=gpu

A file can also list runs that are no grid, each as a table [[runs]] of the fields that it changes. Each run has a
folder named by a hash of its configuration. The same command again skips what is complete and resumes what is not;
--dry_run only shows the table of runs, which is kept as runs.csv once they are begun. With other values of the same
fields, runs are added to those that are there.
"""

import dataclasses

from absl import flags

from memorize_jax.analysis.settings import GeometrySettings
from memorize_jax.commands import cli
from memorize_jax.commands.execute import execute, is_complete
from memorize_jax.config import RunConfig
from memorize_jax.measurements.registry import get_measurement
from memorize_jax.presets import Preset, get_preset
from memorize_jax.studies.index import index_of
from memorize_jax.studies.plan import StudyPlan, check_field, make_plan, plan_listed
from memorize_jax.studies.plan_text import parse_grid, read_plan

CLUSTERS = ("none", "local", "slurm")


def define() -> None:
    """Defines the flags."""
    cli.flags_of_training()
    cli.flags_of(GeometrySettings)
    cli.flag("grid", "Values to combine, as FIELD=VALUE,VALUE,...; may be repeated.", flags.DEFINE_multi_string)
    cli.flag("file", "TOML file with preset, seeds, [run], and [grid] or a list of [[runs]], instead of --grid.")
    cli.flag("cluster", f"Where to run. One of {', '.join(CLUSTERS)}; none is this process.")
    cli.flag("slurm", "Options of the jobs, e.g. partition=gpu,gpus_per_node=1,timeout_min=600.")
    cli.switch("dry_run", "Only show the table of runs.")


def main() -> None:
    """Reads the flags and sweeps."""
    workdir, (plan, preset) = cli.required_workdir(), chosen_plan()
    cluster, wanted = cli.FLAGS.cluster or "none", [get_measurement("geometry")]
    if cluster not in CLUSTERS:
        raise ValueError(f"expected cluster to be one of {', '.join(CLUSTERS)}, got {cluster!r}")
    if cli.FLAGS.slurm and cluster == "none":
        raise ValueError("expected --cluster=slurm or --cluster=local with --slurm")
    asked = cli.asked()
    if cli.FLAGS.dry_run:
        table = index_of(workdir, plan, lambda run: is_complete(run, wanted, preset, asked))
    else:
        options = parse_grid(cli.FLAGS.slurm.split(",") if cli.FLAGS.slurm else [])
        how = {"cluster": cluster, "options": {name: values[0] for name, values in options.items()}}
        table = execute(workdir, plan, preset, wanted, together=cli.FLAGS.together, asked=asked, **how)
    print(table.to_string(index=False))


def chosen_plan() -> tuple[StudyPlan, Preset]:
    """The plan that the flags ask for, and the settings of its measurements; raises ValueError where they cannot be."""
    given = cli.FLAGS
    overrides = cli.given(RunConfig)
    if overrides.pop("seed", None) is not None:
        raise ValueError("expected --seeds=0-9 instead of --seed in a sweep")
    if given.file and given.grid:
        raise ValueError("expected either --file or --grid, got both")
    if given.file:
        parts = read_plan(given.file)
    elif given.grid:
        parts = {"run": {}, "grid": parse_grid(given.grid)}
    else:
        raise ValueError("expected --grid=FIELD=VALUE,VALUE,... or --file=SWEEP.toml")
    for name in overrides:
        check_field(name)
    preset = get_preset(parts.get("preset", given.preset))
    preset = dataclasses.replace(preset, run=dataclasses.replace(preset.run, **{**parts["run"], **overrides}))
    preset = preset.replace("geometry", **cli.given(GeometrySettings))
    seeds = given.seeds or parts.get("seeds")
    if "runs" in parts:
        plan = plan_listed(preset.run, parts["runs"], seeds)
    else:
        plan = make_plan(preset.run, parts["grid"], seeds)
    cli.check_seeds(seeds)
    cli.check_axes(plan.axes)
    if "width" not in {*plan.axes, *overrides, *parts["run"]}:
        cli.check_one_width(preset)
    return plan, preset
