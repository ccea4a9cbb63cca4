"""Does what a plan asks for: trains its runs, measures them, and resumes where it was interrupted."""

import pathlib
import sys
from collections.abc import Callable, Collection, Sequence

import pandas as pd

from memorize_jax.compilation import kept_compiled
from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.measurements import second_process
from memorize_jax.measurements.driver import is_measured, measure
from memorize_jax.measurements.measurement import Measurement
from memorize_jax.measurements.registry import get_measurement, open_study
from memorize_jax.presets import Preset
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.seeds import combine, for_each
from memorize_jax.runs.train import train_run, train_seeds
from memorize_jax.storage.files import replacing
from memorize_jax.studies.earlier import has_asked
from memorize_jax.studies.index import write_runs
from memorize_jax.studies.plan import StudyPlan


@kept_compiled()
def train_and_measure(
    folder: str | pathlib.Path,
    config: RunConfig,
    seeds: Sequence[int],
    preset: Preset,
    names: Sequence[str],
    together: bool = False,
    *,
    is_trained: bool = False,
    prepared: tuple[Splits, PermutedLabels] | None = None,
    say: Callable[[str], None] = lambda text: None,
    second: second_process.SecondProcess | None = None,
) -> None:
    """Trains and measures one combination of a plan, or resumes it; arguments can be pickled for a job of its own.

    Args:
      folder: of the run, or of its seeds.
      seeds: in folders of their own; () for the configuration's own.
      preset: settings, which new runs note.
      names: of the measurements.
      together: train the seeds as one program.
      prepared: what `runs.prepare.prepare` returned, if it was called before.
      second: a process that measures some of the units.
    """
    if not is_trained:
        say("train")
        if seeds:
            train_seeds(folder, config, seeds, plan=preset.plan(), together=together)
        else:
            train_run(folder, config, prepared, preset.plan())
    if second:
        second_process.tell(second, second_process.TRAINED)
    for number, name in enumerate(names, start=1):
        say(f"[{number}/{len(names)}] {name}")
        measurement = get_measurement(name)
        settings = preset.of_all(measurement)

        def step(member, measurement=measurement, settings=settings):
            if not is_measured(measurement, RunFolder(member), settings):
                splits = prepared[0] if prepared else None
                measure(measurement, member, settings, splits=splits, second=second)

        for_each(folder, step, tables_of([measurement]), seeds)


def tables_of(wanted: Sequence[Measurement]) -> tuple[str, ...]:
    """Names of the files of all tables of some measurements."""
    return tuple(f"{table}.csv" for one in wanted for table in one.tables)


def execute(
    workdir: str | pathlib.Path,
    plan: StudyPlan,
    preset: Preset,
    wanted: Sequence[Measurement],
    *,
    together: bool = False,
    cluster: str = "none",
    options: dict | None = None,
    asked: Collection[str] = (),
) -> pd.DataFrame:
    """Does what is missing of a study with axes; returns the index of its runs, as it stands in runs.csv.

    Args:
      wanted: measurements to make in every run.
      cluster: "none" does one run after the other in this process, "local" and "slurm" submit jobs.
      options: of the jobs, see submitit's `update_parameters`.
      asked: fields of the configuration that a finished run, too, must have as the plan says, see `has_asked`.

    Raises:
      ValueError: some runs failed, which does not stop the others; names them. Or submitit is not installed.
    """
    folder, names = RunFolder(workdir).workdir, [one.name for one in wanted]

    def index():
        return write_runs(workdir, plan, lambda run: is_complete(run, wanted, preset, asked))

    runs, states = plan.runs(), index().set_index("run")["state"]
    todo = [one for one in runs if states[one.name] != "complete"]
    for one in runs:
        # Whatever is done now: a table of all seeds is as new as its parts.
        combine(folder / one.name, tables_of(wanted), plan.seeds)
    jobs = [(str(folder / one.name), one.config, plan.seeds, preset, names, together) for one in todo]
    failed = []
    if cluster == "none":
        for one, job in zip(todo, jobs, strict=True):
            print(f"{one.name}: {', '.join(f'{name}={value}' for name, value in one.values.items())}", flush=True)
            try:
                train_and_measure(*job)
            except (ValueError, OSError, ArithmeticError, MemoryError) as error:
                print(f"error: {one.name}: {' '.join(str(error).split())}", file=sys.stderr)
                failed.append(one.name)
            index()
    else:
        failed = [todo[index].name for index in _submit(folder, jobs, cluster, options or {})]
    table = index()
    if failed:
        print(table.to_string(index=False))
        said = f"{len(failed)} of {len(todo)} runs failed: {', '.join(failed)}"
        raise ValueError(f"{said}; the same command tries them again")
    # The tables of all runs of the study, in its own results/.
    for one in (one for one in wanted if one.axes):
        study = open_study(folder)
        for name, about in one.tables.items():
            with replacing(RunFolder(folder).results / f"{name}.csv") as beside:
                study.tables[name][list(about.columns)].to_csv(beside, index=False)
    return table


def is_complete(run: RunFolder, wanted: Sequence[Measurement], preset: Preset, asked: Collection[str] = ()) -> bool:
    """Whether all measurements were made in the folder of a run with these settings, and it has what is `asked`."""
    return has_asked(run, preset.run, asked) and all(is_measured(one, run, preset.of_all(one)) for one in wanted)


def _submit(folder, jobs, cluster, options):
    """Submits jobs and waits for them; returns the positions of those that failed."""
    try:
        import submitit
    except ImportError as error:
        raise ValueError("--cluster needs submitit: pip install 'memorize_jax[slurm]'") from error
    executor = submitit.AutoExecutor(folder=folder / "jobs", cluster=cluster)
    executor.update_parameters(**options)
    submitted = [executor.submit(train_and_measure, *job) for job in jobs]
    print(f"submitted {len(submitted)} jobs; their logs are in {folder / 'jobs'}", flush=True)
    failed = []
    for index, job in enumerate(submitted):
        error = job.exception()
        if error is not None:
            print(f"error: {jobs[index][0]}: {str(error).strip().splitlines()[-1]}", file=sys.stderr)
            failed.append(index)
    return failed
