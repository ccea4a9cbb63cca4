"""Makes a whole study: trains, measures what is missing, draws, judges the paper's claims, writes the report.

    python -m experiments.reproduce --preset=digits
    python -m experiments.reproduce --preset=digits --seeds=0-2 --dry_run
    python -m experiments.reproduce --preset=digits --figure=fig4

The same command run again resumes where it stopped, and does nothing twice that was done with the same settings. With
--figure only what the figure needs is done. A preset of several widths trains and measures networks of each.
"""

import collections
import contextlib
import functools
import time
from collections.abc import Collection, Sequence

from memorize_jax.claims.statement import FAILS, HOLDS, NOT_TESTABLE, UNDECIDED
from memorize_jax.commands import cli, double_descent, planned, report
from memorize_jax.commands.execute import is_complete, tables_of, train_and_measure
from memorize_jax.epochs import FEW
from memorize_jax.figures.figure import Figure, instead, missing
from memorize_jax.measurements import costs
from memorize_jax.measurements.driver import is_measured
from memorize_jax.measurements.measurement import Measurement
from memorize_jax.measurements.registry import measurements, open_study, order_of_work, settings_classes
from memorize_jax.measurements.second_process import MEASURED, Job, Room, second_process, take_job, tell
from memorize_jax.presets import Preset
from memorize_jax.report.catalog import select
from memorize_jax.report.drawn import all_figures, picture_named, picture_of
from memorize_jax.runs.folder import RunFolder, check_no_ensemble, check_no_sweep
from memorize_jax.runs.metrics import stored_rows
from memorize_jax.runs.prepare import prepare
from memorize_jax.runs.seeds import combine
from memorize_jax.studies.index import index_of
from memorize_jax.studies.plan import StudyPlan


def define() -> None:
    """Defines the flags."""
    cli.flags_of_training()
    for settings_class in settings_classes().values():
        cli.flags_of(settings_class)
    cli.flag("figure", "Do and draw only what these figures need, e.g. fig4 or fig3a,fig5f.")
    cli.switch("dry_run", "Only show what there is, what would run, and about how long.")


def run(
    workdir: str,
    preset: Preset,
    seeds: str | None = None,
    figures: Sequence[Figure] = (),
    *,
    dry_run: bool = False,
    together: bool = False,
    asked: Collection[str] = (),
) -> None:
    """Does what is missing of a study: of one network, or of the widths of a preset.

    Args:
      seeds: in folders of their own, e.g. "0-2"; None for the one of the configuration.
      figures: to draw, and to do nothing else for; () for the whole study.
      dry_run: only print the plan.
      together: train the seeds as one program.
      asked: fields of the configuration that a finished run, too, must have as the preset says, see `has_asked`.
    """
    plan = double_descent.plan_of(preset, seeds)
    with contextlib.ExitStack() as stack:
        second = None
        if plan.axes:
            if not _show_widths(workdir, plan, preset, asked) and not dry_run:
                double_descent.run_widths(workdir, plan, preset, together=together, asked=asked)
        else:
            figures, second = _run_network(workdir, plan, preset, figures, dry_run, together, asked, stack)
        if not dry_run:
            _finish(workdir, figures, second)


def _show_widths(workdir: str, plan: StudyPlan, preset: Preset, asked: Collection[str]) -> bool:
    """Prints how far the runs of growing width are; returns whether all is done."""
    wanted = measurements()["double_descent"]
    states = index_of(workdir, plan, lambda run: is_complete(run, [wanted], preset, asked))["state"].tolist()
    complete, begun = states.count("complete"), len(states) - states.count("missing")
    is_done, said = complete == len(states), f"{begun} of {len(states)} widths begun, {complete} complete"
    planned.show([planned.Planned(wanted.name, "done with these settings" if is_done else said, not is_done)])
    return is_done


def _run_network(workdir, plan, preset, figures, dry_run, together, asked, stack):
    """Does what is missing of a study of one network, or only says it.

    Returns the figures that can be drawn, and a second process, which ends with the `stack`, if there is one.
    """
    second = None
    check_no_sweep(workdir)
    if not plan.seeds:
        check_no_ensemble(workdir)
    (one,) = plan.runs()
    runs = plan.folders(workdir, one)
    folders, config = list(runs), next(iter(runs.values()))
    prepared = prepare(folders[0].workdir, config)
    preset = preset.with_run(seed=config.seed)
    if figures:
        figures = _possible(figures, folders, preset, prepared[0])
    preset, wanted = _with_epochs_of(figures, preset, folders), _wanted(figures)
    planned.check_measurements(wanted, folders, preset, prepared)
    work = costs.measure_work(config, prepared[0], folders[0])
    training, is_trained = planned.plan_training(runs, work, asked), planned.is_trained(runs)
    if is_trained:
        # What a trained run has, not what it might have had.
        work = work._replace(epochs=max(len(stored_rows(folder)) for folder in folders) - 1)
    about = folders, preset, prepared[0], work, is_trained
    steps = [planned.plan_measurement(step, *about) for step in wanted]
    others = [] if figures or not dry_run else [one for one in _of_one_network() if one not in wanted]
    asked = [planned.only_on_request(planned.plan_measurement(one, *about), workdir) for one in others]
    planned.show([training, *steps, *asked])
    planned.check_memory([training, *steps])
    if not dry_run:
        todo = [step.name for step in steps if step.todo]
        options = {"is_trained": not training.todo, "prepared": prepared, "say": functools.partial(print, flush=True)}
        if planned.needs_second([training, *steps]):
            rooms = [Room(one.name, run.workdir, preset.of_all(one)) for one in wanted for run in folders]
            rooms = [room for room in rooms if room.measurement in todo]
            second = stack.enter_context(second_process(rooms, {} if figures else _drawings(workdir, folders)))
        train_and_measure(workdir, config, plan.seeds, preset, todo, together, second=second, **options)
        # Whatever was done now: a table of all seeds is as new as its parts.
        combine(workdir, tables_of(wanted))
    return figures, second


def _drawings(workdir, folders):
    """(folder, figure) -> how another process draws it: of every run, and of all together."""
    places = dict.fromkeys(str(folder.workdir) for folder in (*folders, RunFolder(workdir)))
    return {(place, name): Job(picture_named, (place, name)) for place in places for name in all_figures()}


def _wanted(figures: Sequence[Figure]) -> list[Measurement]:
    """What is measured of a study of one network: all but what is on request, or what makes the tables of figures."""
    needs = {table for figure in figures for table in figure.needs}
    return [one for one in _of_one_network() if (needs & set(one.tables) if figures else not one.on_request)]


def _of_one_network():
    return order_of_work(one for one in measurements().values() if one.measures and not one.axes)


def _possible(figures, folders, preset, splits):
    """The figures whose tables are there or can be made; says of the others why not, raises if there is no other."""
    reasons = {}
    for figure in figures:
        for one in _wanted([figure]):
            tables = [table for table in one.tables if table in figure.needs]
            there = all((folder.results / f"{table}.csv").is_file() for folder in folders for table in tables)
            if not there and (why := one.why_not(preset.run, splits)):
                reasons[figure.name] = why
        if figure.least_epochs and preset.run.keep == "best,last":
            needs = f"needs the networks of {figure.least_epochs} epochs"
            reasons[figure.name] = f"{needs}, of which keep=best,last stores two"
    return _without(figures, reasons)


def _without(figures, reasons):
    """Says of the figures that there are reasons against why they are left out; raises if no figure is left."""
    alike = {}
    for name, reason in reasons.items():
        alike.setdefault(reason, []).append(name)
    left = [figure for figure in figures if figure.name not in reasons]
    if not left:
        raise ValueError("; ".join(f"{', '.join(names)} cannot be drawn: {reason}" for reason, names in alike.items()))
    for reason, names in alike.items():
        print(f"not drawn: {', '.join(names)}: {reason}")
    return left


def _with_epochs_of(figures, preset, folders):
    """The settings with geometry at as many epochs as a map needs, where one is asked for or they were measured."""
    geometry = measurements()["geometry"]
    least = [figure.least_epochs for one in measurements().values() for figure in one.figures]
    epochs = preset.of("geometry").geometry_epochs
    asked = [item.strip() for item in epochs.split(",")]
    if {"all", "log"} & set(asked):
        return preset
    has_log = any(FEW.fullmatch(item) for item in asked)
    enough = has_log or len(set(asked)) >= max(least)
    wider = ",".join("log" if FEW.fullmatch(item) else item for item in asked) if has_log else f"log,{epochs}"
    more = preset.replace("geometry", geometry_epochs=wider)
    # What was measured for a map stays, else the next command without it would take it away.
    begun = [folder for folder in folders if folder.config.is_file()]
    measured = begun and all(is_measured(geometry, folder, more.of_all(geometry)) for folder in begun)
    return more if measured or (not enough and any(figure.least_epochs for figure in figures)) else preset


def _finish(workdir, figures, second):
    """Draws what was asked for, or writes the report and prints the claims."""

    def picture(figure, study):
        found = take_job(second, (str(study.workdir), figure.name)) if second else None
        return found or picture_of(figure, study)

    if figures:
        study = open_study(workdir)
        reasons = {figure.name: reason for figure in figures if (reason := missing(figure, study))}
        for figure in _without(figures, reasons):
            print(f"drawn: {figure.draw(study, RunFolder(workdir).figures / f'{figure.name}.svg').absolute()}")
        return
    print("report", flush=True)
    if second:
        tell(second, MEASURED)
    path, judged = report.run_all(workdir, picture)
    for claim in judged:
        print(f"  {claim.verdict:16} {claim.claim}")
    counts = collections.Counter("holds" if claim.verdict in HOLDS else claim.verdict for claim in judged)
    said = f"{counts['holds']} hold, {counts[FAILS]} do not, {counts[UNDECIDED]} are undecided"
    print(f"claims: {said}, {counts[NOT_TESTABLE]} cannot be tested here\nreport: {path.absolute()}")


def choose_figures(text: str, preset: Preset) -> list[Figure]:
    """The figures of `report.catalog.select` that a study by this preset can show; says of the others why not."""
    axes, figures = ("width",) if preset.widths else (), select(text, preset.run.model)
    of_one = "is drawn from one network; give a preset without widths"
    reasons = {figure.name: instead(figure.axes[0]) if figure.axes else of_one for figure in figures}
    return _without(figures, {figure.name: reasons[figure.name] for figure in figures if figure.axes != axes})


def main() -> None:
    """Reads the flags and does everything that is missing."""
    started = time.perf_counter()
    preset, flags = cli.chosen(), cli.FLAGS
    cli.check_seeds(flags.seeds)
    if preset.widths:
        cli.check_axes(["width"])
    workdir = flags.workdir or f"runs/{flags.preset}"
    figures = choose_figures(cli.figure_names(flags.figure), preset) if flags.figure else ()
    print(f"{flags.preset}: {preset.summary}\nfolder: {RunFolder(workdir).workdir.absolute()}", flush=True)
    run(workdir, preset, flags.seeds, figures, dry_run=flags.dry_run, together=flags.together, asked=cli.asked())
    if not flags.dry_run:
        print(f"done in {time.perf_counter() - started:.0f} s")
