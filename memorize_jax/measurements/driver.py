"""Measures a run, unit by unit: opens it once, resumes where it was interrupted, and notes how its tables were made."""

import dataclasses
import pathlib
import time
from collections.abc import Mapping, Sequence

import pandas as pd

from memorize_jax.adapters import WatchedNetwork
from memorize_jax.compilation import kept_compiled
from memorize_jax.config import Settings
from memorize_jax.data import Splits
from memorize_jax.invocation import given_line
from memorize_jax.measurements.made_of import Sources, sources_of
from memorize_jax.measurements.measurement import Measurement, Work
from memorize_jax.measurements.registry import settings_classes
from memorize_jax.measurements.second_process import SecondProcess, take
from memorize_jax.progress import bar, say, warn
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.networks import DamagedNetworkError
from memorize_jax.runs.noted import read_noted
from memorize_jax.runs.notes import are_made, note_tables, read_notes
from memorize_jax.runs.others import describe_others
from memorize_jax.runs.provenance import own_code, provenance
from memorize_jax.runs.run import Run, run_to_measure
from memorize_jax.storage.tables import write_table
from memorize_jax.storage.unit_tables import MadeTable, make_table
from memorize_jax.threads import one_thread


@kept_compiled()
def measure(
    measurement: Measurement,
    workdir: str | pathlib.Path,
    settings: Sequence[Settings] = (),
    *,
    splits: Splits | None = None,
    skip_damaged: bool = False,
    watched: WatchedNetwork | None = None,
    second: SecondProcess | None = None,
) -> pd.DataFrame:
    """Measures one run and writes its tables; units of work that were measured before are not measured again.

    Args:
      measurement: of the registry.
      workdir: folder of the run.
      settings: those that `measurement.parts` names.
      splits: the data, if they were loaded before.
      skip_damaged: measure without the epochs whose network is damaged or missing.
      watched: the network of a run that was watched, where it is at hand.
      second: a process that measures some of the units.

    Returns:
      The first table, as it was written.

    Raises:
      ValueError, OSError: one clear sentence; what can be known without the data, before they are loaded.
    """
    started, folder = time.perf_counter(), RunFolder(workdir)
    plan = _checked(measurement, settings)
    _refuse(measurement, folder, read_noted(folder).config, None)
    with run_to_measure(workdir, splits, skip_damaged=skip_damaged, watched=watched) as run:
        _refuse(measurement, folder, run.config, run.splits)
        others = describe_others(measurement.other_runs(*settings), run.config.seed)
        work = plan(run, *settings)
        sources = sources_of(run, work, others, skip_damaged=skip_damaged)
        depends_on = _of_rows(measurement, work, settings)
        made = _make_tables(measurement, run, work, depends_on, sources, skip_damaged, second)
    note_tables(
        folder,
        measurement.name,
        tuple(measurement.tables),
        settings=noted_settings(settings, skip_damaged=skip_damaged),
        identity=run.noted.identity,
        **_named(others),
        of_final=measurement.of_final,
        command=given_line(),
        seconds=round(time.perf_counter() - started + made.earlier_seconds, 3),
        provenance=provenance(),
    )
    return made.table


def is_measured(measurement: Measurement, folder: RunFolder, settings: Sequence[Settings]) -> bool:
    """Whether its tables are there, unchanged, made with these settings from the network as it is now."""
    noted = read_noted(folder)
    try:
        others = describe_others(measurement.other_runs(*settings), noted.config.seed)
    except (ValueError, OSError):
        return False
    made = read_notes(folder, strict=False).get(measurement.name, {}).get("settings", {})
    defaults = noted_settings([type(one)() for one in settings])
    # A setting that there was not when the tables were made is what it is by default.
    asked = {name: own for name, own in noted_settings(settings).items() if name in made or own != defaults[name]}
    asked |= {name: made[name] for name in _without_effect(measurement, settings).intersection(made)}
    about = {"settings": asked, "identity": noted.identity, **_named(others)}
    return are_made(folder, measurement.name, tuple(measurement.tables), **about)


def noted_settings(settings: Sequence[Settings], *, skip_damaged: bool = False) -> dict:
    """The settings as they are noted beside a table."""
    noted = {name: value for one in settings for name, value in dataclasses.asdict(one).items()}
    return noted | ({"skip_damaged": True} if skip_damaged else {})


def _checked(measurement, settings):
    if measurement.plan is None:
        raise ValueError(f"expected a measurement that a command makes, got {measurement.name}")
    expected = [settings_classes()[part] for part in measurement.parts]
    if list(map(type, settings)) != expected:
        names = [", ".join(kind.__name__ for kind in kinds) or "none" for kinds in (expected, map(type, settings))]
        raise ValueError(f"expected settings of {measurement.name} to be {names[0]}, got {names[1]}")
    for one in settings:
        one.validate()
    return measurement.plan


def _refuse(measurement, folder, config, splits):
    if why := measurement.why_not(config, splits):
        raise ValueError(f"{measurement.name} of the run in {folder.workdir} cannot be measured: {why}")


def _make_tables(
    measurement: Measurement,
    run: Run,
    work: Work,
    depends_on: Mapping,
    sources: Sources,
    skip_damaged: bool,
    second: SecondProcess | None,
) -> MadeTable:
    (name, about), *others = measurement.tables.items()
    said, positions = set(), {unit: position for position, unit in enumerate(work.units)}
    with bar(name, work.counted, len(work.units)) as progress:

        def counted():
            for unit in work.units:
                yield unit
                progress.update()

        def rows(unit):
            progress.set_postfix_str(" ".join(map(str, unit)) if isinstance(unit, tuple) else str(unit))
            try:
                if second and (found := take(second, measurement.name, run.workdir, positions[unit])) is not None:
                    return found
                with one_thread():
                    return work.rows(unit)
            except DamagedNetworkError as error:
                if not skip_damaged:
                    raise
                if str(error) not in said:
                    warn(f"{error}; skipped")
                said.add(str(error))
                return None

        path = run.folder.results / f"{name}.csv"
        asked = {"measurement": measurement.name, "settings": depends_on, **run.identity()}
        asked["room"] = own_code([measurement.room])
        if not measurement.of_final:
            # A row of an epoch stays what it is when training goes on.
            del asked["epochs"]
        earlier = path.read_bytes() if path.is_file() else None
        how = {"settings": asked, "otherwise": work.instead, **sources._asdict()}
        made = make_table(path, about.columns, counted(), rows, **how)
    is_as_it_was = not made.num_made and earlier == path.read_bytes()
    if is_as_it_was and run.noted.network is None:
        say(f"{path} was measured before, and is as it was; remove it to measure it again")
    for other, columns in others:
        write_table(run.folder.results / f"{other}.csv", work.derived[other](made.table), columns.columns)
    return made


def _named(others: Mapping) -> dict:
    """Other runs as they are noted; nothing where there are none, as in tables that are older than other runs."""
    return {"other_runs": dict(others)} if others else {}


def _of_rows(measurement: Measurement, work: Work, settings: Sequence[Settings]) -> Mapping:
    """Everything that rows depend on besides the run, as JSON."""
    if work.depends_on is not None:
        return dict(work.depends_on)
    without_effect = _without_effect(measurement, settings)
    noted = {name: value for one in settings for name, value in one.apart_from_epochs().items()}
    return {name: value for name, value in noted.items() if name not in without_effect}


def _without_effect(measurement: Measurement, settings: Sequence[Settings]) -> set[str]:
    """Fields of the settings that it reads of other measurements that change nothing in its tables."""
    if measurement.affected_by is None:
        return set()
    read = [one for part, one in zip(measurement.parts, settings, strict=True) if part != measurement.name]
    return {field.name for one in read for field in dataclasses.fields(one)}.difference(measurement.affected_by)
