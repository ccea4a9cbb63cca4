"""Two measured runs, which the tests of identity and of files copy."""

import dataclasses
import shutil

import pytest

from experiments import gradients, presets
from memorize_jax.runs.folder import Run
from memorize_jax.runs.train import train_run

CONFIG = dataclasses.replace(presets.PRESETS["smoke"].run, epochs=3, width=16, num_train=300)
LEDGER = presets.GradientsConfig(gradient_epochs="final")


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Two measured runs that differ in their seed."""
    folder = tmp_path_factory.mktemp("trained")
    for seed, name in enumerate(("mine", "theirs")):
        train_run(folder / name, dataclasses.replace(CONFIG, seed=seed))
        gradients.run(folder / name, LEDGER)
    return folder


@pytest.fixture
def mine(trained, tmp_path):
    return Run(shutil.copytree(trained / "mine", tmp_path / "mine"))


@pytest.fixture
def theirs(trained):
    return Run(trained / "theirs")
