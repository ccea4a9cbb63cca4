"""Theory that the geometry has measured already is taken from its table, if that is what would be measured."""

import importlib
import shutil

import pytest

from memorize_jax.measurements.capacity_check import MEASUREMENT
from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.geometry import MEASUREMENT as GEOMETRY
from memorize_jax.measurements.registry import measurements, order_of_work
from memorize_jax.runs.folder import RunFolder
from memorize_jax.storage import unit_notes
from tests.measurements import tiny

PRESET = tiny.PRESET.replace("geometry", joint_draws=8, example_repeats=2)
MODULE = importlib.import_module(f"{MEASUREMENT.room}.measure")
UNITS = 2 * 4


class MeasuredError(Exception):
    """The check measures a geometry itself."""


def checked(run, preset=PRESET):
    """The table of the check, made anew."""
    table = run.results / "capacity_check.csv"
    table.unlink(missing_ok=True)
    measure(MEASUREMENT, run.workdir, preset.of_all(MEASUREMENT))
    return table.read_bytes()


@pytest.fixture(scope="module")
def made(tiny_runs, tmp_path_factory):
    """A run with a table of the geometry, and the check's as it is without."""
    run = RunFolder(shutil.copytree(tiny_runs["trained"], tmp_path_factory.mktemp("made") / "run"))
    alone = checked(run)
    measure(GEOMETRY, run.workdir, PRESET.of_all(GEOMETRY))
    return run.workdir, alone


@pytest.fixture
def run(made, tmp_path):
    return RunFolder(shutil.copytree(made[0], tmp_path / "run"))


def refuse(*arguments, **options):
    raise MeasuredError


@pytest.fixture
def own(monkeypatch):
    """Lets the check measure no geometry."""
    monkeypatch.setattr(MODULE, "compiled_network_geometries", refuse)


def noted(run):
    """File, content of its first line, other lines of the notes of the geometry."""
    path = run.results / "geometry.units.jsonl"
    first, *others = path.read_bytes().splitlines(keepends=True)
    return path, unit_notes._content(first), others


def change_note(run, **changes):
    """Changes what the rows of the geometry are said to depend on."""
    path, first, others = noted(run)
    first[1] |= changes
    path.write_bytes(b"".join([unit_notes._written(*first), *others]))


def change_settings(run, **changes):
    change_note(run, settings=noted(run)[1][1]["settings"] | changes)


def test_the_table_is_the_same_and_nothing_is_measured_again(run, made, own):
    assert checked(run) == made[1]
    # A margin is none of the check's: the table without one has its numbers.
    assert checked(run, PRESET.replace("geometry", kappa=0.1)) == made[1]


def test_units_of_a_table_in_the_making_are_taken_too(tiny_runs, made, tmp_path, monkeypatch):
    run, done = RunFolder(shutil.copytree(tiny_runs["trained"], tmp_path / "begun")), []
    geometry = importlib.import_module(f"{GEOMETRY.room}.measure")
    with monkeypatch.context() as patch:
        plan = geometry.plan

        def interrupted(run, *settings):
            work = plan(run, *settings)
            rows = lambda unit: refuse() if len(done) == 5 else done.append(unit) or work.rows(unit)
            return work._replace(rows=rows)

        patch.setattr(geometry, "plan", interrupted)
        with pytest.raises(MeasuredError):
            measure(GEOMETRY, run.workdir, PRESET.of_all(GEOMETRY))
    assert not (run.results / "geometry.csv").exists()
    calls, theory = [], MODULE.compiled_network_geometries
    monkeypatch.setattr(
        MODULE, "compiled_network_geometries", lambda *given, **options: calls.append(1) or theory(*given, **options)
    )
    assert checked(run) == made[1]
    assert len(calls) == UNITS - 5
    # Notes of other settings are as good as none.
    monkeypatch.setattr(MODULE, "compiled_network_geometries", refuse)
    with pytest.raises(MeasuredError):
        checked(run, PRESET.replace("geometry", num_draws=7))


@pytest.mark.parametrize(
    "change",
    [
        lambda run: (run.results / "geometry.csv").write_text((run.results / "geometry.csv").read_text() + "\n"),
        lambda run: (run.results / "geometry.csv").unlink(),
        lambda run: (run.results / "geometry.units.jsonl").write_text("no notes"),
        lambda run: change_note(run, identity="another"),
        lambda run: change_note(run, restores=[1]),
        lambda run: change_note(run, provenance={"commit": "another"}),
        lambda run: change_settings(run, kappa=0.1),
        lambda run: change_settings(run, compat="mftma"),
    ],
)
def test_a_table_that_may_hold_other_numbers_is_not_trusted(run, own, change):
    change(run)
    with pytest.raises(MeasuredError):
        checked(run)


@pytest.mark.parametrize(
    "changes",
    [
        *({"geometry": {name: value}} for name, value in (("num_draws", 7), ("examples_per_class", 3))),
        *({"geometry": {name: value}} for name, value in (("max_classes", 2), ("joint_draws", 9))),
        *({"capacity_check": {name: value}} for name, value in (("capacity_classes", 2), ("capacity_epochs", "1"))),
    ],
)
def test_nor_is_one_that_has_other_manifolds(run, own, changes):
    ((name, fields),) = changes.items()
    with pytest.raises(MeasuredError):
        checked(run, PRESET.replace(name, **fields))


def test_the_geometry_comes_first_and_all_else_stays_in_its_order():
    names = [one.name for one in order_of_work(measurements().values())]
    assert names.index("geometry") == names.index("capacity_check") - 1
    assert [name for name in names if name != "geometry"] == [name for name in measurements() if name != "geometry"]
    assert [one.name for one in order_of_work([measurements()["capacity_check"]])] == ["capacity_check"]
