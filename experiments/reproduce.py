"""Makes a whole study: trains, measures what is missing, draws, judges the paper's claims, writes the report.

    python -m experiments.reproduce --preset=digits
    python -m experiments.reproduce --preset=digits --seeds=0-2 --dry_run
    python -m experiments.reproduce --preset=digits --figure=fig4

The same command run again goes on where it stopped, and does nothing twice that was done with the same settings. With
--figure only what the figure needs is done. A preset of several widths runs `experiments.double_descent`.
"""

import collections
import dataclasses
import pathlib
import time
from collections.abc import Sequence

from experiments import claims, cli, double_descent, report, steps
from experiments.estimate import about, measure_work
from experiments.presets import Preset, analyses
from experiments.record import is_made, tables_of
from experiments.steps import STEPS, Planned, Step
from memorize_jax.claims import HOLDS
from memorize_jax.figures import Figure, missing, select
from memorize_jax.figures.capacity_map import FIGURES_OF_CAPACITY_MAP, LEAST_EPOCHS
from memorize_jax.figures.figure import INSTEAD, RUNS
from memorize_jax.memory import readable
from memorize_jax.runs.folder import Run, check_no_sweep, member_folders
from memorize_jax.runs.prepare import prepare
from memorize_jax.runs.seeds import combine, for_each, parse_seeds, seed_folder
from memorize_jax.runs.train import train_run, train_seeds
from memorize_jax.studies.study import read_study


def run(
    workdir: str | pathlib.Path,
    chosen: Preset,
    seeds: Sequence[int] = (),
    figures: Sequence[Figure] = (),
    *,
    dry_run: bool = False,
    together: bool = False,
) -> None:
    """Does what is missing of a study of one network.

    Args:
      workdir: folder of the run, or of the ensemble.
      chosen: all settings.
      seeds: of an ensemble; empty for a single run.
      figures: to draw, and to do nothing else for; empty for the whole study.
      dry_run: only print the plan.
      together: train the seeds as one program.

    Raises:
      ValueError, OSError: one clear sentence; before the training, where that is possible.
    """
    check_no_sweep(workdir)
    if not seeds and (members := member_folders(workdir)):
        held = ",".join(member.name.removeprefix("seed_") for member in members)
        raise ValueError(f"workdir {workdir} holds an ensemble; go on with it by --seeds={held}")
    folders = [Run(seed_folder(workdir, seed)) for seed in seeds] or [Run(workdir)]
    if seeds:
        chosen = dataclasses.replace(chosen, run=dataclasses.replace(chosen.run, seed=seeds[0]))
    prepared = prepare(folders[0].workdir, chosen.run)
    if figures:
        figures = _possible(figures, folders, chosen.run, prepared[0])
    chosen, wanted = _with_epochs_of_maps(chosen, figures, folders), _steps(figures)
    steps.check_steps(wanted, folders, chosen, prepared)
    work = measure_work(chosen.run, prepared[0], folders[0])
    training = steps.plan_training(folders, chosen, work)
    planned = [steps.plan_step(step, folders, chosen, prepared[0], work, trained=not training.todo) for step in wanted]
    _show([training, *planned])
    steps.check_memory([training, *planned])
    if dry_run:
        return
    if training.todo:
        print("train", flush=True)
        if seeds:
            train_seeds(workdir, chosen.run, seeds, plan=chosen.plan(), together=together)
        else:
            train_run(workdir, chosen.run, prepared, chosen.plan())
    todo = [step for step, one in zip(wanted, planned, strict=True) if one.todo]
    for number, step in enumerate(todo, start=1):
        print(f"[{number}/{len(todo)}] {step.name}", flush=True)
        settings = step.settings(chosen)

        def do(folder, step=step, settings=settings):
            if not is_made(Run(folder), step.name, *settings):
                step.run(folder, *settings, prepared[0])

        for_each(workdir, do, seeds=seeds)
    # Whatever was done now: a table of all seeds is as new as its parts.
    combine(workdir, [f"{table}.csv" for step in wanted for table in tables_of(step.name)])
    _finish(workdir, figures)


def run_widths(
    workdir: str | pathlib.Path,
    chosen: Preset,
    seeds: Sequence[int],
    figures: Sequence[Figure] = (),
    *,
    dry_run: bool = False,
) -> None:
    """Does what is missing of a study of networks of growing width.

    Args and errors are those of `run`, but for `seeds`, which are of each width.
    """
    check_no_sweep(workdir)
    widths = double_descent.parse_widths(chosen.widths)
    arguments = (chosen.run, chosen.geometry, widths, list(seeds))
    begun = sum((Run(workdir).workdir / f"width_{width}").is_dir() for width in widths)
    made = is_made(Run(workdir), "double_descent", *arguments)
    state = "done with these settings" if made else f"{begun} of {len(widths)} widths begun"
    _show([Planned("double_descent", state, not made)])
    if dry_run:
        return
    if not made:
        double_descent.run(workdir, *arguments, plan=chosen.plan())
    _finish(workdir, figures)


def _steps(figures) -> list[Step]:
    if not figures:
        return list(STEPS)
    return steps.needed_steps([table for figure in figures for table in figure.needs])


def _possible(figures, folders, config, splits):
    """The figures whose tables are there or can be made; says of the others why not, raises if there is no other."""
    reasons = {}
    for figure in figures:
        for step in steps.needed_steps(figure.needs):
            tables = [table for table in tables_of(step.name) if table in figure.needs]
            there = all((folder.results / f"{table}.csv").is_file() for folder in folders for table in tables)
            if not there and (why := steps.obstacle_of(step, config, splits)):
                reasons[figure.name] = why
        if figure in FIGURES_OF_CAPACITY_MAP and config.keep == "best,last":
            reasons[figure.name] = f"needs the networks of {LEAST_EPOCHS} epochs, of which keep=best,last stores two"
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


def _with_epochs_of_maps(chosen, figures, folders):
    """The settings with geometry at as many epochs as a map needs, where one is asked for or they were measured."""
    epochs = chosen.geometry.geometry_epochs
    asked = {item.strip() for item in epochs.split(",")}
    if asked & {"all", "log"} or len(asked) >= LEAST_EPOCHS:
        return chosen
    more = dataclasses.replace(chosen.geometry, geometry_epochs=f"log,{epochs}")
    # What was measured for a map stays, else the next command without it would take it away.
    measured = all(is_made(folder, "geometry", more) for folder in folders)
    wanted = measured or set(figures) & set(FIGURES_OF_CAPACITY_MAP)
    return dataclasses.replace(chosen, geometry=more) if wanted else chosen


def _show(planned):
    """Prints the plan."""
    wide = max(len(one.name) for one in planned)
    for one in planned:
        bound = "at most " if one.at_most else ""
        memory = "" if one.bytes is None else f", peak {readable(one.bytes)}"
        then = f"runs, {bound}{about(one.seconds)}{memory}" if one.todo else "left as it is"
        print(f"  {one.name:{wide}}  {one.state}: {then}")
    known = [one.seconds for one in planned if one.todo and one.seconds is not None]
    if known:
        print(f"  together {'at most ' if any(one.at_most for one in planned) else ''}{about(sum(known))}", flush=True)


def _finish(workdir, figures):
    """Draws what was asked for, or writes the report and prints the claims."""
    if figures:
        study = read_study(workdir)
        reasons = {figure.name: reason for figure in figures if (reason := missing(figure, study))}
        for figure in _without(figures, reasons):
            print(f"drawn: {figure.draw(study, Run(workdir).figures / f'{figure.name}.svg').absolute()}")
        return
    print("report", flush=True)
    path = report.run_all(workdir)
    judged = claims.run(workdir)
    for claim in judged:
        print(f"  {claim.verdict:16} {claim.claim}")
    counts = collections.Counter("holds" if claim.verdict in HOLDS else claim.verdict for claim in judged)
    said = f"{counts['holds']} hold, {counts['does not hold']} do not, {counts['not testable']} cannot be tested here"
    print(f"claims: {said}\nreport: {path.absolute()}")


def _choose_figures(text: str, chosen: Preset) -> list[Figure]:
    """The figures of `memorize_jax.figures.select` that a study by this preset can show; says of the others why not.

    Raises:
      ValueError: there is no such figure, or none that comes from such a study.
    """
    kinds = ("double_descent",) if chosen.widths else RUNS
    figures = select(text, chosen.run.model)
    of_one = "is drawn from one network; give a preset without widths"
    return _without(
        figures,
        {figure.name: INSTEAD.get(figure.kinds[0], of_one) for figure in figures if not set(figure.kinds) & set(kinds)},
    )


def main() -> None:
    """Reads the flags and does every step that is missing."""
    started = time.perf_counter()
    chosen, flags = cli.chosen(), cli.FLAGS
    workdir = flags.workdir or f"runs/{flags.preset}"
    seeds = parse_seeds(flags.seeds) if flags.seeds else []
    figures = _choose_figures(cli.figure_names(flags.figure), chosen) if flags.figure else ()
    print(f"{flags.preset}: {chosen.summary}\nfolder: {Run(workdir).workdir.absolute()}", flush=True)
    if chosen.widths:
        run_widths(workdir, chosen, seeds or [chosen.run.seed], figures, dry_run=flags.dry_run)
    else:
        run(workdir, chosen, seeds, figures, dry_run=flags.dry_run, together=flags.together)
    if not flags.dry_run:
        print(f"done in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    cli.start(
        main,
        *cli.of_training(),
        *map(cli.settings, analyses().values()),
        cli.flag("figure", "do and draw only what these figures need, e.g. fig4 or fig3a,fig5f"),
        cli.switch("dry_run", "only show what there is, what would run, and about how long"),
    )
