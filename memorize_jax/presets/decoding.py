"""The networks of the paper on decoding."""

from memorize_jax.config import RunConfig
from memorize_jax.presets.preset import Preset

_MASC = {
    "scaling": "symmetric",
    "init": "torch",
    "permuted_fraction": 0.4,
    "permutation": "uniform",
    "epochs": 500,
}
_MASC_MLP = {"model": "masc_mlp", "optimizer": "sgd", "learning_rate": 1e-3, "momentum": 0.9, "batch_size": 32, **_MASC}

PRESETS = {
    # Ketha and Ramaswamy's networks and training; --permuted_fraction=0.2, 0.4, 0.6, 0.8 are their degrees of
    # corruption. On Fashion-MNIST they print no MLP; it is trained as on MNIST.
    "masc_mlp_mnist": Preset(
        "the decoding paper's MLP on MNIST, 40 % of the labels drawn anew from all classes; accelerator",
        RunConfig(dataset="mnist", stop_accuracy=0.9999, **_MASC_MLP),
    ),
    "masc_mlp_fashion_mnist": Preset(
        "the decoding paper's MLP on Fashion-MNIST, 40 % of the labels drawn anew from all classes; accelerator",
        RunConfig(dataset="fashion_mnist", stop_accuracy=0.9999, **_MASC_MLP),
    ),
    "masc_cnn_fashion_mnist": Preset(
        "the decoding paper's CNN on Fashion-MNIST, 40 % of the labels drawn anew from all classes; accelerator",
        RunConfig(
            dataset="fashion_mnist", model="masc_cnn", learning_rate=2e-4, batch_size=128, stop_accuracy=0.991, **_MASC
        ),
        # The layers that the paper probes: the flattened output of the convolutions is that of conv6.
        {"decoding": {"decoding_layers": "input,conv6,linear7,linear8,linear9"}},
    ),
}
