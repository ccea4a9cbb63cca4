"""All programs of the package, small enough to be lowered in seconds."""

from benchmarks.lowered import geometry, measurements, networks
from benchmarks.lowered.decoding import decoding
from benchmarks.lowered.program import TINY, Program

# Networks of convolutions, as narrow as they can be, on the smallest images that they take.
CONVOLUTIONAL = ("alexnet", "vgg16", "resnet18", "masc_cnn")


def of_networks() -> list[Program]:
    """Training, evaluation, and measurements but for those of manifolds."""
    network = networks.Network(TINY)
    return [
        *networks.training(TINY),
        *networks.training(TINY, num_seeds=2),
        *networks.reading(network),
        *measurements.of_gradients(network),
        *measurements.of_layers_moved(network),
        *measurements.of_examples(network),
        *decoding(3, 8, 256, 4),
        *geometry.simulated(TINY, 4),
    ]


def of_manifolds() -> list[Program]:
    """Mean-field and joint geometry of points and of networks."""
    return [
        *geometry.mean_field(TINY),
        *geometry.many_centers(),
        *geometry.joint(TINY),
        *geometry.wide_layer(TINY),
        *geometry.layer_by_layer(TINY),
        *geometry.streamed(TINY),
        *measurements.of_manifolds(networks.Network(TINY)),
    ]


def convolutional(model: str) -> list[Program]:
    """A step of training, evaluation, gradients and layers moved of a network of convolutions."""
    sizes = TINY._replace(model=model, width=2, image=(32, 32, 3))
    network = networks.Network(sizes)
    moved = measurements.of_layers_moved(network)
    return [*networks.training(sizes)[:2], *measurements.of_gradients(network)[:1], *moved]
