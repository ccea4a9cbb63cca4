"""Trains and measures many runs: every combination of models, data sets, fractions, widths and seeds.

    python -m experiments.sweep --workdir=runs/fractions --grid=permuted_fraction=0,0.25,0.5,0.75,1 --seeds=0-2
    python -m experiments.sweep --workdir=runs/more --file=sweep.toml --cluster=slurm --slurm=partition=gpu

Each combination has a folder named by a hash of its configuration. The same command again skips what is complete and
goes on with what is not; --dry_run only shows the table of runs, which is kept as runs.csv.
"""

import dataclasses
import pathlib
import sys

import pandas as pd
from absl import flags

from experiments import cli, geometry
from experiments.configs import GeometryConfig
from experiments.grid import Combination, Sweep, combinations, parse_grid, plan, read_sweep
from experiments.presets import Preset
from experiments.record import is_made
from memorize_jax.config import RunConfig
from memorize_jax.runs.folder import Run, member_folders
from memorize_jax.runs.metrics import stored_rows
from memorize_jax.runs.noted import check_same_run
from memorize_jax.runs.seeds import combine, for_each, seed_folder
from memorize_jax.runs.train import train_run, train_seeds
from memorize_jax.storage.files import replacing
from memorize_jax.training import is_finished

CLUSTERS = ("none", "local", "slurm")
STATES = ("missing", "unfinished", "trained", "complete")


def run_one(folder: str | pathlib.Path, config: RunConfig, seeds: list[int], chosen: Preset, together: bool) -> None:
    """Trains and measures one combination, or goes on with it.

    Args:
      folder: of the run, or of the ensemble.
      config: RunConfig.
      seeds: of the ensemble; empty for a single run.
      chosen: settings, which the run notes; its geometry is measured.
      together: train the seeds as one program.
    """
    if seeds:
        train_seeds(folder, config, seeds, plan=chosen.plan(), together=together)
    else:
        train_run(folder, config, plan=chosen.plan())

    def measure(member):
        if not is_made(Run(member), "geometry", chosen.geometry):
            geometry.run(member, chosen.geometry)

    for_each(folder, measure, ("geometry.csv",), seeds)


def state_of(folder: pathlib.Path, config: RunConfig, seeds: list[int], measured: GeometryConfig) -> dict:
    """Tells how far a combination is.

    Args:
      folder: of the run or the ensemble.
      config: RunConfig.
      seeds: of the ensemble, exactly those that are asked for; empty for a single run.
      measured: GeometryConfig that is asked for.

    Returns:
      state (one of `STATES`), epochs (the least over seeds), train_accuracy and test_accuracy at the end (means).
    """
    own = [dataclasses.replace(config, seed=seed) for seed in seeds] or [config]
    places = [Run(seed_folder(folder, seed)) for seed in seeds] or [Run(folder)]
    for place, asked in zip(places, own, strict=True):
        check_same_run(place, asked)
    begun = [rows for place in places if (rows := stored_rows(place))]
    if not begun:
        return {"state": "missing", "epochs": 0, "train_accuracy": None, "test_accuracy": None}
    state = "unfinished"
    if len(begun) == len(places) and all(is_finished(config, len(rows) - 1, rows) for rows in begun):
        made = all(is_made(place, "geometry", measured) for place in places)
        state = "complete" if made and (Run(folder).results / "geometry.csv").is_file() else "trained"
    last = pd.DataFrame([rows[-1] for rows in begun])
    accuracies = {name: float(last[name].mean()) for name in ("train_accuracy", "test_accuracy")}
    return {"state": state, "epochs": int(last["epoch"].min()), **accuracies}


def table_of_runs(workdir: str | pathlib.Path, sweep: Sweep, runs: list[Combination]) -> pd.DataFrame:
    """Makes the table of all runs with their states, and writes it as runs.csv.

    Args:
      workdir: of the sweep.
      sweep: the plan.
      runs: its combinations.

    Returns:
      The table, one row per combination.

    Raises:
      ValueError: the folder holds a run or an ensemble, or that of a combination holds another run.
    """
    place = Run(workdir)
    if place.config.is_file() or member_folders(workdir):
        held = "a single run" if place.config.is_file() else "an ensemble"
        raise ValueError(f"workdir {workdir} holds {held}; choose another --workdir for a sweep")
    rows = [
        {"run": one.name, **one.values, "seeds": max(len(sweep.seeds), 1)}
        | state_of(place.workdir / one.name, one.config, sweep.seeds, sweep.preset.geometry)
        for one in runs
    ]
    table = pd.DataFrame(rows)
    place.workdir.mkdir(parents=True, exist_ok=True)
    with replacing(place.sweep) as beside:
        table.to_csv(beside, index=False)
    return table


def run(
    workdir: str | pathlib.Path,
    sweep: Sweep,
    *,
    cluster: str = "none",
    options: dict | None = None,
    together: bool = False,
) -> None:
    """Does what is missing of a sweep; a run that fails does not stop the others.

    Args:
      workdir: of the sweep.
      sweep: the plan.
      cluster: "none" runs one after the other in this process, "local" and "slurm" submit jobs.
      options: of the jobs, see submitit's `update_parameters`.
      together: train the seeds of a combination as one program.

    Raises:
      ValueError: some runs failed; names them. Or submitit is not installed.
    """
    runs, folder = combinations(sweep), Run(workdir).workdir
    table = table_of_runs(workdir, sweep, runs)
    todo = [one for one, state in zip(runs, table["state"], strict=True) if state != "complete"]
    for one in runs:
        # Whatever is done now: a table of all seeds is as new as its parts.
        combine(folder / one.name, ("geometry.csv",), sweep.seeds)
    jobs = [(str(folder / one.name), one.config, sweep.seeds, sweep.preset, together) for one in todo]
    failed = []
    if cluster == "none":
        for one, job in zip(todo, jobs, strict=True):
            print(f"{one.name}: {', '.join(f'{name}={value}' for name, value in one.values.items())}", flush=True)
            try:
                run_one(*job)
            except (ValueError, OSError, ArithmeticError, MemoryError) as error:
                print(f"error: {one.name}: {' '.join(str(error).split())}", file=sys.stderr)
                failed.append(one.name)
            table = table_of_runs(workdir, sweep, runs)
    else:
        failed = [todo[index].name for index in _submit(folder, jobs, cluster, options or {})]
        table = table_of_runs(workdir, sweep, runs)
    print(table.to_string(index=False))
    if failed:
        raise ValueError(
            f"{len(failed)} of {len(todo)} runs failed: {', '.join(failed)}; the same command tries them again"
        )


def _submit(folder, jobs, cluster, options):
    """Submits jobs and waits for them; returns the positions of those that failed."""
    try:
        import submitit
    except ImportError as error:
        raise ValueError("--cluster needs submitit: pip install 'memorize_jax[slurm]'") from error
    executor = submitit.AutoExecutor(folder=folder / "jobs", cluster=cluster)
    executor.update_parameters(**options)
    submitted = [executor.submit(run_one, *job) for job in jobs]
    print(f"submitted {len(submitted)} jobs; their logs are in {folder / 'jobs'}", flush=True)
    failed = []
    for index, job in enumerate(submitted):
        error = job.exception()
        if error is not None:
            print(f"error: {jobs[index][0]}: {str(error).strip().splitlines()[-1]}", file=sys.stderr)
            failed.append(index)
    return failed


def _chosen_sweep() -> Sweep:
    given = cli.FLAGS
    overrides, seeds = cli.given(RunConfig), given.seeds
    if overrides.pop("seed", None) is not None:
        raise ValueError("expected --seeds=0-9 instead of --seed in a sweep")
    if given.file and given.grid:
        raise ValueError("expected either --file or --grid, got both")
    if given.file:
        sweep = read_sweep(given.file, given.preset, overrides, seeds)
    elif given.grid:
        sweep = plan(given.preset, overrides, parse_grid(given.grid), seeds)
    else:
        raise ValueError("expected --grid=FIELD=VALUE,VALUE,... or --file=SWEEP.toml")
    measured = dataclasses.replace(sweep.preset.geometry, **cli.given(GeometryConfig))
    measured.validate()
    return sweep._replace(preset=dataclasses.replace(sweep.preset, geometry=measured))


def main() -> None:
    """Reads the flags and sweeps."""
    workdir, sweep = cli.required_workdir(), _chosen_sweep()
    cluster = cli.FLAGS.cluster or "none"
    if cluster not in CLUSTERS:
        raise ValueError(f"expected cluster to be one of {', '.join(CLUSTERS)}, got {cluster!r}")
    if cli.FLAGS.dry_run:
        print(table_of_runs(workdir, sweep, combinations(sweep)).to_string(index=False))
        return
    options = cli.FLAGS.slurm.split(",") if cli.FLAGS.slurm else []
    options = {name: values[0] for name, values in parse_grid(options).items()}
    run(workdir, sweep, cluster=cluster, options=options, together=cli.FLAGS.together)


if __name__ == "__main__":
    cli.start(
        main,
        *cli.of_training(),
        cli.settings(GeometryConfig),
        cli.flag("grid", "FIELD=VALUE,VALUE,... to combine; may be given several times", flags.DEFINE_multi_string),
        cli.flag("file", "TOML file with preset, seeds, [run] and [grid], instead of --grid"),
        cli.flag("cluster", f"one of {', '.join(CLUSTERS)}: where to run; none is this process"),
        cli.flag("slurm", "options of the jobs, e.g. partition=gpu,gpus_per_node=1,timeout_min=600"),
        cli.switch("dry_run", "only show the table of runs"),
    )
