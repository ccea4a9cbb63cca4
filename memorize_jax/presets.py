"""Settings to start from, by name; and those that a run has noted."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from memorize_jax.config import RunConfig, Settings
from memorize_jax.measurements.measurement import Measurement
from memorize_jax.measurements.registry import settings_classes
from memorize_jax.runs.noted import Noted


@dataclasses.dataclass(frozen=True)
class Preset:
    """Settings of a whole study.

    Attributes:
      settings: name of a measurement -> those of its settings that are not the defaults.
      widths: of a study of growing width, in the form of its flag; "" for a study of one network.
      name: under which it is found; None for settings that belong to no preset.
    """

    summary: str
    run: RunConfig
    settings: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    widths: str = ""
    name: str | None = None

    def of(self, measurement: str) -> Settings:
        """The settings of a measurement."""
        return settings_classes()[measurement](**self.settings.get(measurement, {}))

    def of_all(self, measurement: Measurement) -> list[Settings]:
        """All settings that a measurement takes, those of its `parts`."""
        return [self.of(part) for part in measurement.parts]

    def replace(self, measurement: str, **changes) -> "Preset":
        """The preset with other settings of a measurement; raises ValueError for a value that cannot be."""
        if not changes:
            return self
        own = {**self.settings.get(measurement, {}), **changes}
        changed = dataclasses.replace(self, settings={**self.settings, measurement: own})
        changed.of(measurement).validate()
        return changed

    def with_run(self, **changes) -> "Preset":
        """The preset with other settings of the training; raises ValueError for a value that cannot be."""
        changed = dataclasses.replace(self, run=dataclasses.replace(self.run, **changes))
        changed.run.validate()
        return changed

    def plan(self) -> dict:
        """What a run notes of it when it is begun, see `runs.noted.Noted`."""
        settings = {name: dataclasses.asdict(self.of(name)) for name in settings_classes()}
        return {"preset": self.name, "settings": settings}


def noted_preset(noted: Noted) -> Preset:
    """The settings that a run has noted, of every measurement; of one that it does not name, the defaults."""
    preset = Preset("", noted.config, noted.settings, name=noted.preset)
    for name in settings_classes():
        try:
            preset.of(name).validate()
        except (TypeError, AttributeError) as error:
            raise ValueError(f"config.json: expected the settings of {name}, got {error}") from error
    return preset


_MASC = {
    "scaling": "symmetric",
    "init": "torch",
    "permuted_fraction": 0.4,
    "permutation": "uniform",
    "epochs": 500,
}
_MASC_MLP = {"model": "masc_mlp", "optimizer": "sgd", "learning_rate": 1e-3, "momentum": 0.9, "batch_size": 32, **_MASC}
# The first hundred classes of Tiny ImageNet at 32 x 32 have the shape of CIFAR-100, 500 training images a class. What
# costs most with a hundred classes and 50,000 images is bounded as for spheres_mlp. The paper's rate of 1e-4 and
# batches of 1,024 would take a processor days.
_TINY_32 = {"dataset": "tiny_imagenet_32", "init": "torch", "learning_rate": 5e-4, "keep": "log"}
_TINY_32_SETTINGS = {
    "geometry": {"geometry_epochs": "log,best,final"},
    "capacity_check": {"capacity_classes": 20},
    "per_example": {"depth_neighbors": 0},
    "gradients": {"gradient_epochs": "0,1,4,best,final"},
    "rewinding": {"rewind_layers": "each"},
    "decoding": {"decoding_epochs": "final", "decoding_dynamics": 0},
}
# All images of ten classes; training is that of ResNet18 on Tiny ImageNet.
_TEN_CLASSES = {
    "model": "resnet18",
    "init": "torch",
    "width": 16,
    "learning_rate": 5e-4,
    "batch_size": 125,
    "epochs": 100,
    "keep": "log",
}
_TEN_CLASSES_SETTINGS = _TINY_32_SETTINGS | {"gradients": {"gradient_epochs": "0,best,final"}}
_MNIST1D = {
    "dataset": "mnist1d_12000",
    "init": "torch",
    "permutation": "uniform",
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "momentum": 0.9,
    "batch_size": 100,
    "stop_accuracy": 1.0,
}
_DESCENT = {"model": "resnet18", "init": "torch", "permuted_fraction": 0.1, "stop_accuracy": 1.0, "keep": "best,last"}

PRESETS = {
    "smoke": Preset(
        "seconds; for tests",
        RunConfig(dataset="digits", width=32, learning_rate=3e-3, epochs=4),
        {
            "geometry": {"examples_per_class": 10, "num_draws": 20, "joint_draws": 20},
            "decoding": {"decoding_epochs": "0,final", "decoding_dynamics": 3, "probe_examples": 300},
        },
    ),
    "digits": Preset(
        "scikit-learn's handwritten digits, half of the labels permuted; 75 seconds on two cores",
        RunConfig(dataset="digits", width=256, learning_rate=1e-4, epochs=1000),
        {
            "geometry": {"examples_per_class": 30, "num_draws": 300},
            "decoding": {"decoding_dynamics": 6, "probe_examples": 1000},
        },
    ),
    "spheres": Preset(
        "the paper's synthetic spheres (A.5) at CPU size, half of the labels permuted; minutes on two cores",
        RunConfig(dataset="spheres_small", width=256, learning_rate=3e-4, epochs=300),
        {"geometry": {"examples_per_class": 50, "num_draws": 200}},
    ),
    "spheres_mlp": Preset(
        "the paper's spheres and MLP at full size (table 1, figures A.3 and A.4); 35 minutes on two cores",
        RunConfig(dataset="spheres"),
        # Costs that grow with the square of the classes (simulations) and of the examples (neighbors): for all hundred
        # and all 50,000 each would take longer than the rest. A minute goes into an epoch's gradients, five into the
        # 40,000 directions of an epoch's decoding.
        {
            "capacity_check": {"capacity_classes": 10},
            "per_example": {"depth_neighbors": 0},
            "gradients": {"gradient_epochs": "0,1,4,best,final"},
            "decoding": {"decoding_epochs": "final", "decoding_dynamics": 0},
        },
    ),
    "letter": Preset(
        "UCI's letters, 26 classes of 16 measures, MLP, half of the labels permuted; minutes on two cores",
        RunConfig(dataset="letter", num_train=5200, width=512, learning_rate=5e-4, batch_size=260, epochs=200),
    ),
    "openclipart": Preset(
        "clip art at 32 x 32, 52 classes, narrow AlexNet, half of the labels permuted; minutes on two cores",
        RunConfig(
            dataset="openclipart",
            model="alexnet",
            init="torch",
            width=16,
            learning_rate=1e-3,
            batch_size=128,
            epochs=300,
        ),
        # So many permuted, unpermuted and test pictures has every class.
        {"geometry": {"examples_per_class": 10}},
    ),
    "fashion_mnist": Preset(
        "Fashion-MNIST, all 60,000 images, MLP, half of the labels permuted; an hour on two cores",
        # 99 % after some 200 epochs; larger batches or smaller steps take longer on a processor.
        RunConfig(dataset="fashion_mnist", width=512, learning_rate=5e-4, batch_size=256, epochs=300),
    ),
    # The convolutional networks start as in PyTorch, the language of the authors' published geometry tool; the paper
    # itself does not say.
    "fashion_vgg16": Preset(
        "Fashion-MNIST padded to 32 x 32 x 3, VGG16, half of the labels permuted; accelerator",
        RunConfig(dataset="fashion_mnist_32", model="vgg16", init="torch"),
    ),
    "cifar100_alexnet": Preset(
        "the paper's AlexNet on CIFAR-100 (table 2, figure A.5), half of the labels permuted; accelerator",
        RunConfig(dataset="cifar100", model="alexnet", init="torch"),
    ),
    "cifar100_vgg16": Preset(
        "the paper's VGG16 on CIFAR-100 (table 3, figures 2 to 5), half of the labels permuted; accelerator",
        RunConfig(dataset="cifar100", model="vgg16", init="torch"),
    ),
    "cifar100_resnet18": Preset(
        "the paper's ResNet18 on CIFAR-100 (table 4, figure A.6), half of the labels permuted; accelerator",
        RunConfig(dataset="cifar100", model="resnet18", init="torch"),
    ),
    "tiny_imagenet_32_alexnet": Preset(
        "the paper's AlexNet at full width on 100 classes of Tiny ImageNet at 32 x 32, all 50,000 images, half of the "
        "labels permuted; two hours on two cores",
        RunConfig(**_TINY_32, model="alexnet", batch_size=500, epochs=300),
        _TINY_32_SETTINGS,
    ),
    "tiny_imagenet_32_vgg16": Preset(
        "VGG16 of a quarter of the paper's width on the same images; four hours on two cores",
        # Without dropout, "no regularization" (section 3): with it, a narrow network memorizes in days.
        RunConfig(**_TINY_32, model="vgg16", width=16, dropout=0.0, batch_size=125, epochs=200),
        _TINY_32_SETTINGS,
    ),
    "tiny_imagenet_32_resnet18": Preset(
        "ResNet18 of a quarter of the paper's width on 15,000 of the same images; two hours on two cores",
        # 75 permuted ones in each class: 10,000 would leave the fifty of the geometry, and no others to choose.
        RunConfig(**_TINY_32, model="resnet18", num_train=15000, width=16, batch_size=125, epochs=100),
        _TINY_32_SETTINGS,
    ),
    "cifar10_resnet18": Preset(
        "ResNet18 of a quarter of the paper's width on CIFAR-10, all 50,000 images, half of the labels permuted; three "
        "hours on two cores",
        RunConfig(dataset="cifar10", **_TEN_CLASSES),
        _TEN_CLASSES_SETTINGS,
    ),
    "fashion_resnet18": Preset(
        "the same network on all 60,000 images of Fashion-MNIST, half of the labels permuted; three hours on two cores",
        RunConfig(dataset="fashion_mnist", **_TEN_CLASSES),
        _TEN_CLASSES_SETTINGS,
    ),
    "tiny_imagenet_resnet18": Preset(
        "the paper's ResNet18 on Tiny ImageNet (table 5, figure A.7), half of the labels permuted; accelerator",
        RunConfig(dataset="tiny_imagenet", model="resnet18_tiny", init="torch"),
        # 100 of the 200 classes, as many manifolds as for CIFAR-100.
        {"geometry": {"max_classes": 100}},
    ),
    "double_descent": Preset(
        "ResNet18 of widths 1 to 64 on CIFAR-100, 10 % of the labels permuted (figures 4C-E); accelerator",
        RunConfig(dataset="cifar100", **_DESCENT),
        widths="1,2,3,4,6,8,12,16,24,32,48,64",
    ),
    "double_descent_small": Preset(
        "the same at CPU size: narrow networks on 1,000 images of Fashion-MNIST at 14 x 14; ten minutes on two cores",
        RunConfig(
            dataset="fashion_mnist_14", num_train=1000, learning_rate=2e-3, batch_size=125, epochs=60, **_DESCENT
        ),
        {"geometry": {"num_draws": 200}},
        widths="1,2,3,4,6,8",
    ),
    # Network, data and training of the notebook on deep double descent of Greydanus and Kobak (2024), which prints an
    # error for each of these widths.
    "double_descent_mnist1d": Preset(
        "two-layer MLPs on MNIST-1D, 15 % of the labels drawn anew (Greydanus and Kobak 2024); minutes on two cores",
        RunConfig(
            **_MNIST1D, model="mnist1d_mlp", permuted_fraction=0.15, epochs=500, keep="best,last", steps_per_call=40
        ),
        {"geometry": {"num_draws": 200}},
        widths="5,9,16,21,27,36,47,61,80,104,135,177,230,300",
    ),
    # Stephenson and Lee (2021) trained other networks on other data. Here it takes weight decay and a high learning
    # rate for the error to fall again, as the labels are fitted after some 30 epochs (docs/math.md).
    "epochwise_mnist1d": Preset(
        "two-layer MLPs on MNIST-1D, for a sweep over permuted fractions: with which of them test "
        "error descends twice over epochs (Stephenson and Lee 2021); minutes on two cores",
        RunConfig(
            **_MNIST1D
            | {"model": "mnist1d_mlp", "width": 256, "permuted_fraction": 0.3, "epochs": 150, "learning_rate": 0.1}
            | {"weight_decay": 3e-4, "keep": "best,last", "steps_per_call": 40}
        ),
        {"geometry": {"examples_per_class": 30, "num_draws": 100, "joint_draws": 100}},
    ),
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


def get_preset(name: str) -> Preset:
    """Looks up a preset; raises ValueError that names those there are."""
    if name not in PRESETS:
        raise ValueError(f"expected preset to be one of {', '.join(PRESETS)}, got {name!r}")
    return dataclasses.replace(PRESETS[name], name=name)
