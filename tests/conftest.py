import gc
import importlib.metadata
import json
import os
import pathlib

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Nearly all the time of the tests is compilation; the same program less optimized, and without XLA's new emitters of
# fused loops (later releases have no others), compiles five times as fast. `.ci/run` repeats comparisons with published
# numbers at full optimization.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0"
    + " --xla_cpu_use_fusion_emitters=false" * importlib.metadata.version("jaxlib").startswith("0.10."),
)
# What a worker or an earlier call has compiled is taken from disk. With a largest size jax locks the folder.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(pathlib.Path(__file__).parent.parent / ".pytest_cache" / "compiled")
)
os.environ.setdefault("JAX_COMPILATION_CACHE_MAX_SIZE", "4000000000")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.3")
# Two workers on two cores: threads of LAPACK would wait for those of jax.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import pytest
from filelock import FileLock

from tests import commands


def made_once(tmp_path_factory, name, make):
    """A folder that the first worker of pytest-xdist that needs it makes, and the others wait for.

    MADE_ONCE names a folder for those of several calls of pytest, which must find the same tree.
    """
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    if shared := os.environ.get("MADE_ONCE"):
        base = pathlib.Path(shared)
        base.mkdir(exist_ok=True)
    with FileLock(base / f"{name}.lock"):
        if not (base / name).exists():
            (base / f"{name}.new").mkdir()
            make(base / f"{name}.new")
            (base / f"{name}.new").rename(base / name)
    return base / name


# Of memory mappings a process may have 65,530 as a rule. Every compiled program takes some, and where none is left the
# compiler crashes.
MANY_MAPPINGS = 30_000


@pytest.fixture(autouse=True, scope="module")
def mappings():
    """Forgets compiled programs when they are many."""
    yield
    maps = pathlib.Path("/proc/self/maps")
    if maps.is_file() and maps.read_bytes().count(b"\n") > MANY_MAPPINGS:
        jax.clear_caches()
        gc.collect()


def pytest_collection_finish():
    """Has Python not look for garbage in all that was imported, which takes a twentieth of the tests' time."""
    gc.collect()
    gc.freeze()


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
    """The folder of one `reproduce --preset=smoke`, measured at epochs 0 and 4; copy it, never change it.

    SMOKE_RUN names one that was made before.
    """
    if made := os.environ.get("SMOKE_RUN"):
        return pathlib.Path(made)

    def make(folder):
        flags = ("--preset=smoke", "--geometry_epochs=0,final", f"--workdir={folder / 'run'}")
        done = commands.python("-m", "experiments.reproduce", *flags)
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "smoke", make) / "run"


@pytest.fixture(scope="session")
def helps(tmp_path_factory):
    """Experiment -> what `python -m experiments.<experiment> --help` prints."""

    def make(folder):
        answers = commands.forked([[f"experiments.{name}", "--help"] for name in commands.EXPERIMENTS])
        printed = [answer.output for answer in answers]
        (folder / "texts.json").write_text(json.dumps(dict(zip(commands.EXPERIMENTS, printed, strict=True))))

    return json.loads((made_once(tmp_path_factory, "helps", make) / "texts.json").read_text())


@pytest.fixture(scope="session")
def eight_devices(tmp_path_factory):
    """What `tests/eight_devices.py` left behind when it ran on eight simulated devices."""

    def make(folder):
        flags = "--xla_force_host_platform_device_count=8"
        done = commands.python("-m", "tests.eight_devices", folder, XLA_FLAGS=flags)
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "eight_devices", make)
