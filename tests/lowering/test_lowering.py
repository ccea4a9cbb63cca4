"""Every function that the package compiles lowers for a TPU and for CUDA, without either."""

import json

import jax
import jax.numpy as jnp
import pytest
from jax import export

from benchmarks.lowered import listed, sites
from benchmarks.lowered.program import PLATFORMS, Program, array, believed_backend, foreign
from memorize_jax.config import COMPUTE_DTYPES


@pytest.fixture(scope="module", params=PLATFORMS)
def platform(request):
    """The package chooses batches as on this platform."""
    with believed_backend(PLATFORMS[request.param]):
        yield request.param


def refused(programs, platform):
    """Name -> why a program does not lower."""
    found = {}
    for program in programs:
        try:
            exported = program.exported(platform)
        except Exception as error:
            found[program.name] = f"{type(error).__name__}: {error}"
            continue
        if strange := foreign(exported.mlir_module()):
            found[program.name] = ", ".join(strange)
    return found


def test_every_program_lowers(platform):
    assert refused(listed.programs(), platform) == {}


@pytest.mark.slow
@pytest.mark.parametrize("model", listed.CONVOLUTIONAL)
def test_networks_of_convolutions_lower(platform, model):
    assert refused(listed.convolutional(model), platform) == {}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", COMPUTE_DTYPES[1:])
def test_other_precisions_lower(platform, dtype):
    assert refused(listed.convolutional("vgg16", dtype), platform) == {}


def test_what_runs_on_eight_devices_lowers(eight_devices):
    found = json.loads((eight_devices / "lowered.json").read_text())
    assert set(found.values()) == {8}
    assert {name.rpartition(" ")[2] for name in found} == set(PLATFORMS)


def test_no_program_is_left_out():
    found, known = sites.sites(), {program.site for program in listed.programs()} - {""}
    assert found - known - set(sites.EXCUSED) == set(), "add these to benchmarks/lowered, or excuse them with a reason"
    assert (known | set(sites.EXCUSED)) - found == set(), "there are no such places any more"
    assert known.isdisjoint(sites.EXCUSED)


def test_places_are_found_however_functions_are_compiled():
    source = """
import jax
from somewhere import compiling

@jax.jit
def decorated(x): return x

@functools.partial(compiling.jit, static_argnames="n")
def partly(x, n): return x

named = jax.jit(jax.vmap(decorated))
quick = _precisely(lambda x: x)

def _precisely(function, **options):
    return jax.jit(function, **options)

def inside(x):
    return 2 * jax.jit(decorated)(x)

class Trainer:
    def __init__(self, step):
        self.step = functools.partial(jax.pmap, axis_name="data")(step)

print(jax.jit(decorated)(1))

def plain(x): return "jit"
"""
    expected = {"decorated", "partly", "named", "quick", "inside", "Trainer.__init__", "<module>"}
    assert sites.compiled_in(source) == expected


def test_what_a_tpu_has_not_is_seen():
    def calls_back(x):
        return jax.pure_callback(lambda x: x, x, x, vmap_method="sequential")

    def exported(call, **options):
        return export.export(jax.jit(call), platforms=["tpu"], **options)(array(3)).mlir_module()

    assert foreign(exported(jnp.fft.fft)) == ["complex<f32>"]
    assert foreign(exported(jnp.sin)) == []
    checks = [export.DisabledSafetyCheck.custom_call("xla_ffi_python_cpu_callback")]
    with pytest.raises(Exception, match="callback"):
        Program("", "", calls_back, (array(3),)).exported("tpu")
    assert checks


def test_a_batch_is_that_of_the_platform():
    seen = []
    program = Program("", "", lambda x: seen.append(jax.default_backend()) or x, (array(3),))
    with believed_backend("tpu"):
        program.exported("tpu")
    assert seen == ["tpu"]
    assert jax.default_backend() == "cpu"
