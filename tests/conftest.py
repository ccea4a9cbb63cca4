import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Nearly all the time of the tests is compilation; the same program less optimised compiles three times as fast.
# `.ci/run` repeats the comparisons with published numbers at full optimisation.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import jax
import pytest

from tests import commands

EXPENSIVE = {"smoke_run", "eight_devices"}


def pytest_collection_modifyitems(items):
    """One worker of pytest-xdist takes a whole file, or all users of an expensive fixture, so nothing is made twice."""
    for item in items:
        shared = EXPENSIVE.intersection(item.fixturenames)
        item.add_marker(pytest.mark.xdist_group(min(shared) if shared else item.nodeid.partition("::")[0]))


@pytest.fixture
def x64():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


@pytest.fixture(scope="session")
def smoke_run(tmp_path_factory):
    """The folder of one `reproduce --preset=smoke`, measured at epochs 0 and 4; copy it, never change it."""
    workdir = tmp_path_factory.mktemp("smoke") / "run"
    flags = ("--preset=smoke", "--geometry_epochs=0,final", f"--workdir={workdir}")
    done = commands.python("-m", "experiments.reproduce", *flags)
    assert done.returncode == 0, done.stderr
    return workdir


@pytest.fixture(scope="session")
def eight_devices(tmp_path_factory):
    """What `tests/eight_devices.py` left behind when it ran on eight simulated devices."""
    folder = tmp_path_factory.mktemp("eight_devices")
    flags = "--xla_force_host_platform_device_count=8"
    done = commands.python("-m", "tests.eight_devices", folder, XLA_FLAGS=flags)
    assert done.returncode == 0, done.stderr
    return folder
