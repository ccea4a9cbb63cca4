"""All programs of the package, small enough to be lowered in seconds."""

from benchmarks.lowered import geometry, measurements, networks
from benchmarks.lowered.decoding import decoding
from benchmarks.lowered.program import TINY, Program

# Networks of convolutions, as narrow as they can be, on the smallest images that they take.
CONVOLUTIONAL = ("alexnet", "vgg16", "resnet18", "masc_cnn")


def programs() -> list[Program]:
    """One of every kind."""
    return [
        *geometry.mean_field(TINY),
        *geometry.many_centers(),
        *geometry.joint(TINY),
        *geometry.wide_layer(TINY),
        *geometry.streamed(TINY),
        *geometry.simulated(TINY, 4),
        *networks.training(TINY),
        *networks.training(TINY, num_seeds=2),
        *networks.reading(networks.Network(TINY)),
        *measurements.of_sizes(TINY),
        *decoding(3, 8, 256, 4),
    ]


def convolutional(model: str, dtype: str = "float32") -> list[Program]:
    """Training, evaluation, gradients and layers moved of a network of convolutions."""
    sizes = TINY._replace(model=model, width=2, image=(32, 32, 3), dtype=dtype)
    network = networks.Network(sizes)
    return [
        *networks.training(sizes),
        *networks.reading(network),
        *measurements.of_gradients(network),
        *measurements.of_layers_moved(network),
    ]
