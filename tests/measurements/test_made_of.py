"""Rows are taken again only while the networks that they come from are those of now, also of other runs."""

import dataclasses
import importlib
import shutil

import jax
import pytest

from memorize_jax.measurements.capacity_check.simulation import RepeatedCapacity
from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.registry import measurements
from memorize_jax.runs.run import open_run
from memorize_jax.storage.checkpoints import EpochStore
from tests.measurements import tiny

MEASURED = measurements()
SETTINGS = {name: tiny.PRESET.of_all(one) for name, one in MEASURED.items() if one.plan}


@pytest.fixture
def run(tiny_runs, tmp_path):
    return shutil.copytree(tiny_runs["trained"], tmp_path / "own" / "width_6")


def store_another_network(workdir, epoch):
    """As if the run had been trained anew, by other versions or on another machine."""
    run = open_run(workdir)
    network = jax.tree.map(lambda leaf: leaf * 1.5, run.network(epoch))
    with EpochStore(run.folder.checkpoints, keep=run.config.keep, identity=run.noted.identity) as store:
        store.rewrite(epoch, network, test_accuracies=run.metrics["test_accuracy"].tolist())


def units_made(name, workdir, settings=None, **options):
    """Measures, and lists the units that were."""
    with pytest.MonkeyPatch.context() as patch:
        module, made = importlib.import_module(f"{MEASURED[name].room}.measure"), []
        plan = module.plan

        def watching(run, *settings):
            work = plan(run, *settings)
            return work._replace(rows=lambda unit: made.append(unit) or work.rows(unit))

        patch.setattr(module, "plan", watching)
        measure(MEASURED[name], workdir, settings or SETTINGS[name], **options)
    return made


@pytest.mark.parametrize("name", ["collapse", "geometry", "decoding", "per_example"])
def test_units_of_a_network_that_was_stored_anew_are_measured_again(name, run):
    first = units_made(name, run)
    assert not units_made(name, run)
    store_another_network(run, 0)
    again = units_made(name, run)
    of_epoch = lambda unit: unit if isinstance(unit, int) else unit[0]
    assert again == [unit for unit in first if isinstance(unit, str) or of_epoch(unit) == 0]
    assert again
    assert not units_made(name, run)


@pytest.mark.parametrize(
    ("name", "field"), [("rewinding", "source"), ("similarity", "other")], ids=["rewinding", "similarity"]
)
def test_so_are_units_of_another_runs_networks(name, field, run, tmp_path):
    other = shutil.copytree(run, tmp_path / "other" / "width_6")
    own, *rest = SETTINGS[name]
    settings = [dataclasses.replace(own, **{field: str(other)}), *rest]
    units = units_made(name, run, settings)
    store_another_network(other, open_run(other).final_epoch)
    again = units_made(name, run, settings)
    assert again
    assert set(again) < set(units)
    # Those of the run itself serve with and without another run.
    assert not units_made(name, run)
    assert not units_made(name, run, settings)


def test_rows_of_the_geometry_are_not_taken_for_those_of_another_network(run, monkeypatch):
    module = importlib.import_module(f"{MEASURED['capacity_check'].room}.measure")
    monkeypatch.setattr(module, "repeated_capacity", lambda *_, **__: RepeatedCapacity(0.3, 0.01, 0, 0.0))
    measured, rows_of = [], module.geometry_rows
    monkeypatch.setattr(module, "geometry_rows", lambda *args, **kw: measured.append(1) or rows_of(*args, **kw))
    units_made("geometry", run)
    units_made("capacity_check", run)
    assert not measured
    store_another_network(run, 0)
    units_made("capacity_check", run)
    assert measured


@pytest.mark.parametrize("name", ["collapse", "per_example"])
def test_rows_that_passed_over_a_damaged_network_are_made_again(name, run):
    kernel = open_run(run).folder.checkpoints / "epochs" / "1" / "params.linear1.kernel" / "0.0"
    sound = kernel.read_bytes()
    kernel.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    units_made(name, run, skip_damaged=True)
    with pytest.raises(ValueError, match="epoch 1 is damaged"):
        units_made(name, run)
    kernel.write_bytes(sound)
    assert units_made(name, run)
    assert not units_made(name, run)


def test_what_is_put_back_as_it_was_is_not_measured_again(run):
    units_made("collapse", run)
    stored = open_run(run).folder.checkpoints / "epochs" / "1"
    stored.rename(stored.with_name("elsewhere"))
    # It is tried, and passed over.
    assert units_made("collapse", run, skip_damaged=True) == [1]
    stored.with_name("elsewhere").rename(stored)
    assert not units_made("collapse", run)


def test_other_settings_of_jax_are_other_numbers(run):
    units_made("few_shot", run)
    with jax.default_matmul_precision("highest"):
        assert units_made("few_shot", run)


def test_where_nothing_is_damaged_a_table_that_would_skip_it_serves_later(run):
    assert units_made("collapse", run, skip_damaged=True)
    assert not units_made("collapse", run)
