"""Lowers what runs on all devices together; prints name and platform -> devices of the lowered program, as JSON."""

import json

import jax

from benchmarks.lowered import networks
from benchmarks.lowered.program import PLATFORMS, TINY, Program, array, believed_backend
from memorize_jax import geometry


def lowered_programs() -> dict[str, int]:
    """Training and evaluation, a step with BatchNorm and dropout; geometry of a set a device."""
    sizes = TINY._replace(batch=16)
    points = array(8, sizes.num_classes, sizes.num_examples, sizes.num_features)
    capacity = lambda own: geometry.manifold_geometry(own, key=jax.random.key(0), num_draws=5).capacity
    programs = [*networks.training(sizes), Program("geometry", "", jax.pmap(capacity), (points,))]
    one = array(*points.shape[1:])
    shared = {"key": jax.random.key(0), "num_draws": 5, "devices": 8}
    of_devices = {
        "mean-field geometry over devices": lambda own: geometry.manifold_geometry(own, **shared).capacity,
        "joint geometry over devices": lambda own: geometry.joint_geometry(own, **shared).capacity,
    }
    programs += [Program(name, "", of, (one,)) for name, of in of_devices.items()]
    programs += networks.training(sizes._replace(model="vgg16", width=2, image=(32, 32, 3)))[:1]
    with believed_backend("tpu"):
        return {f"{one.name}, {on}": one.exported(on).nr_devices for one in programs for on in PLATFORMS}


if __name__ == "__main__":
    assert jax.local_device_count() == 8
    print(json.dumps(lowered_programs()))
