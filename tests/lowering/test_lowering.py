"""Every function that the package compiles lowers for a TPU and for CUDA, without either."""

import json

import jax
import jax.numpy as jnp
import pytest

from benchmarks.lowered import listed, networks, sites
from benchmarks.lowered.program import PLATFORMS, TINY, Program, array, believed_backend, foreign, rounded_products
from memorize_jax.config import COMPUTE_DTYPES
from tests import commands


@pytest.fixture(scope="module", autouse=True)
def accelerator():
    """The package chooses batches as on an accelerator."""
    with believed_backend("tpu"):
        yield


def refused(programs, exact=True):
    """Name and platform -> why a program does not lower for it, or, where products must be `exact`, one that is not."""
    found = {}
    for program in programs:
        for platform in PLATFORMS:
            try:
                exported = program.exported(platform)
            except Exception as error:
                found[program.name, platform] = f"{type(error).__name__}: {error}"
                continue
            if strange := foreign(text := exported.mlir_module()):
                found[program.name, platform] = ", ".join(strange)
            elif exact and (rounded := rounded_products(text)):
                found[program.name, platform] = rounded[0]
    return found


def test_training_and_evaluation_lower():
    assert refused(networks.training(TINY)[:2]) == {}


@pytest.mark.slow
def test_networks_and_their_measurements_lower():
    assert refused(listed.of_networks()) == {}


@pytest.mark.slow
def test_geometry_lowers():
    assert refused(listed.of_manifolds()) == {}


@pytest.mark.slow
@pytest.mark.parametrize("model", listed.CONVOLUTIONAL)
def test_networks_of_convolutions_lower(model):
    assert refused(listed.convolutional(model)) == {}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", COMPUTE_DTYPES[1:])
def test_other_precisions_lower(dtype):
    sizes = TINY._replace(model="vgg16", width=2, image=(32, 32, 3), dtype=dtype)
    assert refused(networks.training(sizes)[:2], exact=False) == {}


@pytest.mark.slow
def test_what_runs_on_eight_devices_lowers():
    flags = "--xla_force_host_platform_device_count=8"
    done = commands.python("-m", "tests.lowering.on_eight_devices", XLA_FLAGS=flags)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 2 * 8
    assert set(found.values()) == {8}
    assert {name.rpartition(" ")[2] for name in found} == set(PLATFORMS)


def test_no_program_is_left_out():
    programs = [*listed.of_networks(), *listed.of_manifolds()]
    found, known = sites.sites(), {program.site for program in programs} - {""}
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


def test_products_that_an_accelerator_may_round_are_seen():
    product = lambda precision: Program("", "", lambda x: jnp.matmul(x, x, precision=precision), (array(3, 3),))
    rounded = lambda precision: rounded_products(product(precision).exported("tpu").mlir_module())
    assert len(rounded(None)) == 1
    assert rounded("highest") == []


def test_what_a_tpu_has_not_is_seen():
    assert foreign(Program("", "", jnp.fft.fft, (array(3),)).exported("tpu").mlir_module()) == ["complex<f32>"]
    assert foreign(Program("", "", jnp.sin, (array(3),)).exported("tpu").mlir_module()) == []
    back = lambda x: jax.pure_callback(lambda x: x, x, x, vmap_method="sequential")
    with pytest.raises(ValueError, match="backend cpu is different from the lowering platform tpu"):
        Program("", "", back, (array(3),)).exported("tpu")
    # A route for processors alone is no obstacle.
    guarded = lambda x: jax.lax.platform_dependent(x, cpu=back, default=jnp.sin)
    Program("", "", guarded, (array(3),)).exported("cuda")


def test_a_batch_is_that_of_the_platform():
    seen, before = [], jax.default_backend()
    program = Program("", "", lambda x: seen.append(jax.default_backend()) or x, (array(3),))
    with believed_backend("other"):
        program.exported("tpu")
    assert seen == ["other"]
    assert jax.default_backend() == before
