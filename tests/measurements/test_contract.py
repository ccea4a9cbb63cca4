"""What holds for every registered measurement that measures; a new one is tested by its line in the registry."""

import copy
import dataclasses
import importlib
import shutil

import numpy as np
import pandas as pd
import pytest

from memorize_jax import data
from memorize_jax.claims.sheet import evaluate
from memorize_jax.claims.statement import VERDICTS
from memorize_jax.config import field_types
from memorize_jax.data import Splits
from memorize_jax.figures.figure import missing
from memorize_jax.measurements import registry
from memorize_jax.measurements.capacity_check.simulation import RepeatedCapacity
from memorize_jax.measurements.driver import is_measured, measure
from memorize_jax.presets import noted_preset
from memorize_jax.report.drawn import parts, views
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.noted import read_noted
from memorize_jax.runs.notes import read_notes
from memorize_jax.runs.run import Run
from tests.measurements import tiny

# Nothing that it stands on needs to be installed: see STAND_INS.
MEASURED = {name: dataclasses.replace(one, package=None) for name, one in registry.measurements().items() if one.plan}
SETTINGS = {name: tiny.PRESET.of_all(one) for name, one in MEASURED.items()}
FIELDS = [(name, field) for name, kind in registry.settings_classes().items() for field in dataclasses.fields(kind)]
# What takes long, or need not be installed: name of the measurement -> name in its module measure -> what stands in.
STAND_INS = {
    "umap": {"embed": lambda points, **_: points[:, :2], "umap_version": lambda: "0"},
    "capacity_check": {"repeated_capacity": lambda *_, **__: RepeatedCapacity(0.3, 0.01, 0, 0.0)},
}
each = pytest.mark.parametrize("name", MEASURED)


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch):
    for name, others in STAND_INS.items():
        for what, other in others.items():
            monkeypatch.setattr(importlib.import_module(f"{MEASURED[name].room}.measure"), what, other)


@pytest.fixture
def fresh(tiny_runs, tmp_path):
    """Name of a measurement -> a new copy of a run that it is for."""

    def copy(name, of="trained"):
        of = "spheres" if MEASURED[name].why_not(tiny.CONFIG) else of
        return shutil.copytree(tiny_runs[of], tmp_path / f"run{len(list(tmp_path.iterdir()))}")

    return copy


def tables_of(name, folder):
    return {table: (RunFolder(folder).results / f"{table}.csv").read_bytes() for table in MEASURED[name].tables}


def watched(patch, name, stop_at=None):
    """Lists the units that are measured from now on, and the epochs whose networks are read; stops at one of them."""
    module, units, epochs = importlib.import_module(f"{MEASURED[name].room}.measure"), [], set()
    plan, network, layers = module.plan, Run.network, Run.network_layers

    def watching(run, *settings):
        work = plan(run, *settings)

        def rows(unit):
            if len(units) == stop_at:
                raise KeyboardInterrupt
            found = work.rows(unit)
            units.append(unit)
            return found

        return work._replace(rows=rows)

    patch.setattr(module, "plan", watching)
    patch.setattr(Run, "network", lambda run, epoch: epochs.add(epoch) or network(run, epoch))
    patch.setattr(Run, "network_layers", lambda run, epoch, names: epochs.add(epoch) or layers(run, epoch, names))
    return units, epochs


@pytest.fixture(scope="module")
def whole(tiny_runs, tmp_path_factory):
    """Name -> (folder, tables, units, epochs) of a measurement that nothing interrupted, each made once."""
    made = {}

    def find(name):
        if name not in made:
            of = "spheres" if MEASURED[name].why_not(tiny.CONFIG) else "trained"
            folder = shutil.copytree(tiny_runs[of], tmp_path_factory.mktemp(name) / "width_6")
            with pytest.MonkeyPatch.context() as patch:
                units, epochs = watched(patch, name)
                measure(MEASURED[name], folder, SETTINGS[name])
            made[name] = (folder, tables_of(name, folder), units, epochs)
        return made[name]

    return find


@each
def test_it_resumes_unit_by_unit_and_gives_the_same_bytes(name, whole, fresh, monkeypatch):
    _, tables, units, _ = whole(name)
    folder, done = fresh(name), len(units) - 1
    with pytest.MonkeyPatch.context() as patch:
        first, _ = watched(patch, name, stop_at=done)
        with pytest.raises(KeyboardInterrupt):
            measure(MEASURED[name], folder, SETTINGS[name])
    assert first == units[:done]
    assert not is_measured(MEASURED[name], RunFolder(folder), SETTINGS[name])
    rest, _ = watched(monkeypatch, name)
    measure(MEASURED[name], folder, SETTINGS[name])
    assert rest == units[done:]
    assert tables_of(name, folder) == tables


@each
def test_its_table_serves_later_and_comes_back_to_the_last_bit(name, whole, tmp_path, monkeypatch):
    """Whoever asks for more epochs pays for these alone."""
    folder, tables, units, epochs = whole(name)
    folder = shutil.copytree(folder, tmp_path / "width_6")
    made, read = watched(monkeypatch, name)
    measure(MEASURED[name], folder, SETTINGS[name])
    assert not made
    # Not before all networks that the rows come from are found to be as they were.
    assert read >= epochs
    assert tables_of(name, folder) == tables
    # A table that was removed is measured again.
    for table in tables:
        (RunFolder(folder).results / f"{table}.csv").unlink()
    measure(MEASURED[name], folder, SETTINGS[name])
    assert made == units
    assert tables_of(name, folder) == tables


# What else chooses units of work, and no rows: name of the measurement -> fields with fewer of them.
FEWER = {"scores": {"subsets": 45}, "rewinding": {"rewind_layers": "last:2"}, "decoding": {"decoding_dynamics": 0}}


@each
def test_it_grows_from_a_table_of_fewer_units(name, whole, fresh, monkeypatch):
    _, tables, units, _ = whole(name)
    own = SETTINGS[name]
    fields = [field.name for one in own[:1] for field in dataclasses.fields(one) if field.name.endswith("_epochs")]
    fewer = dict.fromkeys(fields, "1,final") | FEWER.get(name, {})
    if not fewer or MEASURED[name].parts[:1] != (name,):
        pytest.skip("no setting chooses its units")
    folder = fresh(name)
    measure(MEASURED[name], folder, [dataclasses.replace(own[0], **fewer), *own[1:]])
    assert tables_of(name, folder) != tables
    made, _ = watched(monkeypatch, name)
    measure(MEASURED[name], folder, own)
    assert made
    assert set(made) < set(units)
    assert tables_of(name, folder) == tables


@pytest.fixture(scope="module")
def longer(tiny_runs, tmp_path_factory):
    """A run that was trained further, to an epoch that is the best."""
    folder = shutil.copytree(tiny_runs["trained"], tmp_path_factory.mktemp("longer") / "width_6")
    tiny.trained(folder, dataclasses.replace(tiny.CONFIG, epochs=5))
    return folder


@pytest.mark.parametrize("name", [name for name, one in MEASURED.items() if not one.why_not(tiny.CONFIG)])
def test_rows_of_before_training_went_on_are_not_taken_for_those_of_now(name, whole, longer, tmp_path):
    fresh = shutil.copytree(longer, tmp_path / "fresh" / "width_6")
    grown = shutil.copytree(longer, tmp_path / "grown" / "width_6")
    shutil.copytree(RunFolder(whole(name)[0]).results, RunFolder(grown).results)
    for folder in (fresh, grown):
        measure(MEASURED[name], folder, SETTINGS[name])
    assert tables_of(name, grown) == tables_of(name, fresh)


@each
def test_what_it_was_made_with_is_noted_and_a_change_is_seen(name, whole):
    one, (folder, tables, _, _) = MEASURED[name], whole(name)
    run, settings = RunFolder(folder), SETTINGS[name]
    note = read_notes(run)[name]
    assert note["settings"] == {key: value for own in settings for key, value in dataclasses.asdict(own).items()}
    assert (set(note["tables"]), note["identity"]) == (set(one.tables), read_noted(run).identity)
    assert is_measured(one, run, settings)
    for place, own in enumerate(settings):
        for field in dataclasses.fields(own):
            other = [*settings]
            other[place] = dataclasses.replace(own, **{field.name: another(type(own), field, getattr(own, field.name))})
            assert is_measured(one, run, other) == (field.name in without_effect(name)), field.name
    for table, content in tables.items():
        path = run.results / f"{table}.csv"
        path.write_bytes(content + b"\n")
        assert not is_measured(one, run, settings)
        path.write_bytes(content)
    assert is_measured(one, run, settings)


def without_effect(name):
    """Fields of the settings of other measurements of which this one says that its tables do not depend on them."""
    one = MEASURED[name]
    read = [own for part, own in zip(one.parts, SETTINGS[name], strict=True) if part != name]
    fields = {field.name for own in read for field in dataclasses.fields(own)}
    assert fields >= set(one.affected_by or ())
    return fields - set(fields if one.affected_by is None else one.affected_by)


@pytest.mark.parametrize("name", [name for name, one in MEASURED.items() if one.affected_by is not None])
def test_settings_that_it_says_have_no_effect_have_none(name, whole, fresh):
    folder, other = fresh(name), [*SETTINGS[name]]
    for place, own in enumerate(other):
        fields = [field for field in dataclasses.fields(own) if field.name in without_effect(name)]
        changes = {field.name: another(type(own), field, getattr(own, field.name)) for field in fields}
        other[place] = dataclasses.replace(own, **changes)
    assert other != SETTINGS[name]
    measure(MEASURED[name], folder, other)
    assert tables_of(name, folder) == whole(name)[1]


def another(kind, field, value):
    """Another value of the type of a field."""
    if field.name == "compat":
        return "mftma"
    if field.metadata["choices"]:
        return next(choice for choice in field.metadata["choices"] if choice != value)
    return {str: "1", int: 77, float: 0.5, bool: not value}[field_types(kind, field.name)[0]]


@each
def test_without_flags_it_takes_the_settings_that_the_run_has_noted(name, tiny_runs):
    assert noted_preset(read_noted(RunFolder(tiny_runs["trained"]))).of_all(MEASURED[name]) == SETTINGS[name]


@each
def test_a_damaged_network_is_one_sentence_and_can_be_passed_over(name, whole, fresh, capsys):
    _, tables, _, epochs = whole(name)
    if not epochs:
        pytest.skip("reads no network")
    one, folder, damaged = MEASURED[name], fresh(name), min(epochs)
    advice = "; the command that trained the run repairs it, --skip_damaged measures without it$"
    stored = RunFolder(folder).checkpoints / "epochs" / str(damaged)
    kernel = stored / "params.linear1.kernel" / "0.0"
    content = bytearray(kernel.read_bytes())
    content[5] ^= 1
    kernel.write_bytes(content)
    with pytest.raises(ValueError, match=f"epoch {damaged} .*{advice}"):
        measure(one, folder, SETTINGS[name])
    shutil.rmtree(stored)
    with pytest.raises(ValueError, match=f"no checkpoint of epoch {damaged} .*{advice}"):
        measure(one, folder, SETTINGS[name])
    if epochs == {damaged}:
        with pytest.raises(ValueError, match="nothing could be measured for"):
            measure(one, folder, SETTINGS[name], skip_damaged=True)
        return
    measure(one, folder, SETTINGS[name], skip_damaged=True)
    assert f"epoch {damaged}" in capsys.readouterr().err
    before, after = (
        pd.read_csv(RunFolder(of).results / f"{next(iter(tables))}.csv") for of in (whole(name)[0], folder)
    )
    # The next command measures again: it is not what was asked for.
    assert not is_measured(one, RunFolder(folder), SETTINGS[name])
    if "num_epochs" in after:
        # Rows of all epochs together say how many they are of.
        assert (after["num_epochs"] == before["num_epochs"] - 1).all()
        return
    column = next(name for name in ("rewind_epoch", "epoch_a", "epoch") if name in after)
    sound = [table[table[column] != damaged].reset_index(drop=True) for table in (before, after)]
    pd.testing.assert_frame_equal(*sound, check_dtype=False, check_exact=True)
    # Rows that stand for what could not be measured say so by their status.
    lost = after[after[column] == damaged]
    assert lost.empty or (lost["status"] > 0).all()


@each
def test_labels_and_data_of_another_run_are_refused_by_name(name, tiny_runs, fresh):
    one, folder, settings = MEASURED[name], fresh(name), SETTINGS[name]
    splits = data.load(read_noted(RunFolder(folder)).config.dataset)
    other = splits.train._replace(labels=(splits.train.labels + 1) % splits.train.num_classes)
    with pytest.raises(ValueError, match="was trained on other data: its true labels are not those of the data set"):
        measure(one, folder, settings, splits=Splits(other, splits.test))
    shutil.copy(RunFolder(tiny_runs["unpermuted"]).labels, RunFolder(folder).labels)
    with pytest.raises(ValueError, match=r"labels.npz belongs to another run: its identity is \w+, not"):
        measure(one, folder, settings)
    assert not list(RunFolder(folder).results.glob("*.csv"))


@pytest.fixture
def no_data(monkeypatch):
    """Lets the data be out of reach."""
    monkeypatch.setattr(data, "load", lambda *_, **__: pytest.fail("loaded the data"))


@pytest.mark.parametrize(("name", "field"), FIELDS, ids=lambda value: getattr(value, "name", value))
def test_a_setting_of_another_kind_is_refused_before_the_data_are_loaded(name, field, fresh, no_data):
    kinds = field_types(registry.settings_classes()[name], field.name)
    bad = {"to be": 7 if str in kinds else "many"}
    if field.metadata["least"] is not None:
        bad[f">= {field.metadata['least']}"] = field.metadata["least"] - 1
    if field.metadata["choices"]:
        bad["to be one of"] = "no such"
    if field.name.endswith("_epochs"):
        bad["to be "] = "sometimes"
    folder = fresh(name)
    for expected, value in bad.items():
        settings = [copy.copy(SETTINGS[name][0]), *SETTINGS[name][1:]]
        # As a damaged config.json would: where types are checked, the class itself refuses it.
        object.__setattr__(settings[0], field.name, value)
        with pytest.raises(ValueError, match=rf"expected {field.name} {expected}.*, got .*{value}"):
            measure(MEASURED[name], folder, settings)


@each
def test_what_is_no_sense_for_a_run_is_refused_before_the_data_are_loaded(name, fresh, no_data):
    one, folder = MEASURED[name], fresh(name)
    with pytest.raises(ValueError, match=f"{name} of the run in .* cannot be measured: no points"):
        measure(dataclasses.replace(one, obstacle=lambda config, splits: "no points"), folder, SETTINGS[name])
    with pytest.raises(ValueError, match="cannot be measured: needs nowhere: pip install it"):
        measure(dataclasses.replace(one, package=("nowhere", "pip install it")), folder, SETTINGS[name])
    with pytest.raises(ValueError, match=f"expected settings of {name} to be .*, got .*RunConfig"):
        measure(one, folder, [*SETTINGS[name], tiny.CONFIG])


@each
def test_an_empty_group_is_left_out(name, fresh):
    table = measure(MEASURED[name], fresh(name, "unpermuted"), SETTINGS[name])
    assert len(table)
    assert not set(table.get("group", ())) & {"permuted", "restored"}
    assert np.isfinite(table.select_dtypes("number")).any(axis=None)


@each
def test_figures_statements_and_report_come_from_its_tables(name, whole, monkeypatch):
    one, (folder, *_) = MEASURED[name], whole(name)
    monkeypatch.setattr(registry, "ROOMS", ("memorize_jax.measurements.training", one.room))
    study = registry.open_study(folder.parent if one.axes else folder)
    assert set(one.tables) < set(study.tables)
    shown, not_drawn = parts(study)
    drawn = {figure.name for part in shown for figure in part.figures}
    assert drawn | {figure.name for figure in not_drawn} == set(registry.figures())
    possible = {figure.name for figure in one.figures if not missing(figure, study)}
    assert possible <= drawn
    assert possible or not one.figures
    assert {table.name for table in views(study)} == set(study.tables)
    bare = study._replace(tables={"metrics": study.tables["metrics"]})
    own = [figure for figure in one.figures if figure.axes == one.axes]
    needs = {figure.name: missing(figure, bare) for figure in own if set(figure.needs) & set(one.tables)}
    for reason in needs.values():
        assert reason == f"no table {next(iter(one.tables))}; make it with: {study.command(next(iter(one.tables)))}"
    titles = [part.title for part in parts(bare)[0]]
    assert one.section is None or not one.section.title or one.section.title not in titles
    claims = evaluate(study, one.statements)
    assert len(claims) == len(one.statements)
    assert {claim.verdict for claim in claims} <= set(VERDICTS)


@each
def test_a_table_of_seeds_that_are_alike_shows_what_one_of_them_shows(name, whole, monkeypatch):
    """What rows are about is all that a room averages over seeds by: nothing else that they differ in is pooled."""
    one, (folder, *_) = MEASURED[name], whole(name)
    monkeypatch.setattr(registry, "ROOMS", ("memorize_jax.measurements.training", one.room))
    study = registry.open_study(folder.parent if one.axes else folder)
    seeds = tuple(range(study.seeds[0], study.seeds[0] + 3))
    several = {
        table: pd.concat([rows.assign(seed=seed) for seed in seeds], ignore_index=True)
        for table, rows in study.tables.items()
    }
    ensemble = study._replace(seeds=seeds, tables=several)
    for others, make in one.section.views.values() if one.section else ():
        alone, together = (make(own) if {*others} <= own.tables.keys() else None for own in (study, ensemble))
        assert (alone is None) == (together is None)
        if alone is None:
            continue
        titles = [[head.title for head in view.headers] for view in (alone, together)]
        # A single run has columns of its own, such as an interval over examples.
        shared = [[own.index(title) for title in titles[0] if title in titles[1]] for own in titles]
        assert shared[1]
        assert len(alone.rows) == len(together.rows)
        for rows in zip(alone.rows, together.rows, strict=True):
            first, second = ([row[place].value for place in own] for own, row in zip(shared, rows, strict=True))
            assert [_number_or_text(value) for value in first] == [
                pytest.approx(_number_or_text(value)) for value in second
            ]


def _number_or_text(value):
    try:
        return float(value)
    except ValueError:
        return value
