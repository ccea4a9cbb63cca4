"""Other runs that a measurement reads."""

import dataclasses
import shutil

import pytest

from memorize_jax import open_run
from memorize_jax.measurements.driver import is_measured, measure
from memorize_jax.measurements.measurement import Measurement, Table, Work
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.others import describe_others, other_folder
from memorize_jax.runs.run import run_to_measure


@pytest.fixture
def pair(tiny_runs, tmp_path):
    """A run, and a copy that stands for its twin."""
    return [shutil.copytree(tiny_runs["trained"], tmp_path / name) for name in ("own", "twin")]


def reading(twin):
    """A measurement that reads another run."""

    class Room(Measurement):
        plan = property(lambda self: lambda run: Work(["one"], lambda unit: [epochs_of_other(run)]))

    def epochs_of_other(run):
        return {"epochs": len(run.open_other(twin).metrics)}

    table = Table(("epochs",))
    return Room("epochs_of_other", "", __name__, {"epochs_of_other": table}, other_runs=lambda: (str(twin),))


def test_of_an_ensemble_the_run_of_the_same_seed_is_taken(pair, tmp_path):
    own, twin = pair
    (tmp_path / "ensemble").mkdir()
    shutil.move(twin, tmp_path / "ensemble" / "seed_3")
    assert other_folder(tmp_path / "ensemble", 3).workdir.name == "seed_3"
    assert other_folder(own, 3).workdir == own
    with pytest.raises(ValueError, match=r"expected a run of seed 5 in .*ensemble, got seed_3"):
        other_folder(tmp_path / "ensemble", 5)


def test_a_run_of_other_data_is_refused(pair, tiny_runs):
    with run_to_measure(pair[0]) as run:
        assert run.open_other(pair[1]).splits is run.splits
        with pytest.raises(ValueError, match=r"expected .* to hold a run of the data of .*own, got others"):
            run.open_other(tiny_runs["spheres"])


def test_a_run_is_not_compared_with_itself(pair):
    run = open_run(pair[0])
    with pytest.raises(ValueError, match=r"expected .*own to hold another run, got .*own itself"):
        run.open_other(pair[0] / ".." / "own")


def test_a_table_made_with_another_run_is_void_once_that_changes(pair):
    own, twin = pair
    room, folder = reading(twin), RunFolder(own)
    assert measure(room, own)["epochs"].tolist() == [len(open_run(twin).metrics)]
    assert is_measured(room, folder, ())
    known = describe_others([str(twin)], 0)[str(twin)]
    assert known["identity"] == open_run(own).noted.identity
    metrics = RunFolder(twin).metrics
    before = metrics.read_bytes()
    metrics.write_bytes(before + b"\n")
    assert not is_measured(room, folder, ())
    with pytest.raises(ValueError, match=r"was measured with the run in .*twin before that was trained further"):
        open_run(own).table("epochs_of_other")
    metrics.write_bytes(before)
    assert is_measured(room, folder, ())
    # Where the other run is not at hand, the table is what it was.
    shutil.move(twin, twin.with_name("elsewhere"))
    assert len(open_run(own).table("epochs_of_other")) == 1
    shutil.move(twin.with_name("elsewhere"), twin)
    assert not is_measured(dataclasses.replace(room, other_runs=lambda: ("nowhere",)), folder, ())
