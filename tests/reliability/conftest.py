"""Two measured runs, which the tests of identity and of files copy, and one of six epochs that others disturb."""

import dataclasses
import shutil

import numpy as np
import pytest

from memorize_jax.measurements import driver
from memorize_jax.measurements.gradients import GradientsSettings
from memorize_jax.measurements.registry import get_measurement, open_study
from memorize_jax.presets import PRESETS
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.train import train_run
from memorize_jax.storage.checkpoints import store
from tests.reliability.begun import train_in

CONFIG = dataclasses.replace(PRESETS["smoke"].run, epochs=3, width=16, num_train=300)


def measure(workdir, splits=None, **options):
    """Measures the gradients of a run's final network."""
    settings = [GradientsSettings(gradient_epochs="final", **options)]
    driver.measure(get_measurement("gradients"), workdir, settings, splits=splits)


def read(run):
    """Reads everything of a run that its study and a measurement read."""
    open_study(run.workdir)
    measure(run.workdir)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Two measured runs that differ in their seed."""
    folder = tmp_path_factory.mktemp("trained")
    for seed, name in enumerate(("mine", "theirs")):
        train_run(folder / name, dataclasses.replace(CONFIG, seed=seed))
        measure(folder / name)
    return folder


@pytest.fixture
def mine(trained, tmp_path):
    return RunFolder(shutil.copytree(trained / "mine", tmp_path / "mine"))


@pytest.fixture
def theirs(trained):
    return RunFolder(trained / "theirs")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folder of six epochs, with the training states of the last two; copy it, never change it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "STATE_SHARE", np.inf)
        return train_in(tmp_path_factory.mktemp("undisturbed")).workdir


@pytest.fixture
def copy(tmp_path, undisturbed):
    return RunFolder(shutil.copytree(undisturbed, tmp_path / "run"))
