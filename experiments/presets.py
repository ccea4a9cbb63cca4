"""Presets: named settings of all steps of a study."""

import dataclasses

from memorize_jax.config import RunConfig


@dataclasses.dataclass(frozen=True)
class GeometryConfig:
    """Settings of the geometry step.

    Attributes:
      geometry_epochs: which epochs, see `analysis.select_epochs`.
      examples_per_class: M; the paper's 50. None, for activations from a file: as many as the smallest class has.
      max_classes: at most this many manifolds, drawn from the seed; None for all.
      num_draws: Gaussian draws per manifold.
      kappa: margin.
      num_center_components: centre directions to remove, -1 to choose the number layer by layer.
      compat: "mftma" for the published tool's conventions.
    """

    geometry_epochs: str = "best,final"
    examples_per_class: int | None = 50
    max_classes: int | None = None
    num_draws: int = 300
    kappa: float = 0.0
    num_center_components: int = -1
    compat: str | None = None

    def validate(self) -> None:
        """Checks every field that can be checked without the data.

        Raises:
          ValueError: expected X, got Y.
        """
        checks = {
            "examples_per_class": (self.examples_per_class is None or self.examples_per_class >= 2, ">= 2"),
            "max_classes": (self.max_classes is None or self.max_classes >= 2, ">= 2"),
            "num_draws": (self.num_draws >= 2, ">= 2"),
            "kappa": (0 <= self.kappa < float("inf"), ">= 0"),
            "num_center_components": (self.num_center_components >= -1, ">= 0, or -1 to choose it"),
            "compat": (self.compat in (None, "mftma"), "to be 'mftma' or not given"),
        }
        for name, (good, expected) in checks.items():
            if not good:
                raise ValueError(f"expected {name} {expected}, got {getattr(self, name)}")
        # Here, for analysis takes a second to import and training does without.
        from memorize_jax.analysis.epochs import check_epochs

        check_epochs("geometry_epochs", self.geometry_epochs)


def _check_choices(config, choices):
    for name, allowed in choices.items():
        if getattr(config, name) not in allowed:
            raise ValueError(f"expected {name} to be one of {', '.join(allowed)}, got {getattr(config, name)!r}")


@dataclasses.dataclass(frozen=True)
class RewindingConfig:
    """Settings of the rewinding step.

    Attributes:
      rewind_epochs: which epochs, see `analysis.select_epochs`.
      rewind_layers: which layers and sets of layers, see `analysis.rewinding.select_units`.
      rewind_into: "final" puts layers of earlier epochs into the final network, "early" the reverse.
      bn: what happens to the BatchNorm of these layers, see `analysis.rewinding.transplant`.
    """

    rewind_epochs: str = "log,best,final"
    rewind_layers: str = "each,last:2,last:3"
    rewind_into: str = "final"
    bn: str = "with_layer"

    def validate(self) -> None:
        """Checks every field that can be checked without the run.

        Raises:
          ValueError: expected X, got Y.
        """
        from memorize_jax.analysis.epochs import check_epochs
        from memorize_jax.analysis.rewinding import BN_POLICIES, INTO, check_units

        check_epochs("rewind_epochs", self.rewind_epochs)
        check_units(self.rewind_layers)
        _check_choices(self, {"rewind_into": INTO, "bn": BN_POLICIES})


@dataclasses.dataclass(frozen=True)
class GradientsConfig:
    """Settings of the gradient ledger.

    Attributes:
      gradient_epochs: which epochs, see `analysis.select_epochs`.
      gradient_bn: BatchNorm by the statistics of mixed batches ("train") or by the running ones ("eval").
      gradient_weighting: of a group: "subset" for the mean over its examples, "share" for its share in the mean over
        all (equation 22).
      gradient_centering: the mean gradient of equation 13 over the whole "dataset", or over the "subset".
    """

    gradient_epochs: str = "log,best,final"
    gradient_bn: str = "train"
    gradient_weighting: str = "subset"
    gradient_centering: str = "dataset"

    def validate(self) -> None:
        """Checks every field that can be checked without the run.

        Raises:
          ValueError: expected X, got Y.
        """
        from memorize_jax.analysis.epochs import check_epochs
        from memorize_jax.analysis.gradient_parts import CENTERINGS, WEIGHTINGS
        from memorize_jax.analysis.gradients import BN_MODES

        check_epochs("gradient_epochs", self.gradient_epochs)
        choices = {
            "gradient_bn": BN_MODES,
            "gradient_weighting": WEIGHTINGS,
            "gradient_centering": CENTERINGS,
        }
        _check_choices(self, choices)


@dataclasses.dataclass(frozen=True)
class DecodingConfig:
    """Settings of the decoding step.

    Attributes:
      decoding_epochs: which epochs to read with all controls, see `analysis.select_epochs`.
      decoding_dynamics: read this many epochs, spread over the run, with the closed-form methods.
      decoding_layers: comma-separated names, or "all".
      probe_examples: scikit-learn's probes are fitted to at most this many training examples.
      decoding_dtype: of the subspaces, "float32" or "float64".
    """

    decoding_epochs: str = "0,best,final"
    decoding_dynamics: int = 8
    decoding_layers: str = "all"
    probe_examples: int = 5_000
    decoding_dtype: str = "float32"

    def validate(self) -> None:
        """Checks every field that can be checked without the run.

        Raises:
          ValueError: expected X, got Y.
        """
        from memorize_jax.analysis.epochs import check_epochs

        check_epochs("decoding_epochs", self.decoding_epochs)
        if self.decoding_dynamics < 0:
            raise ValueError(f"expected decoding_dynamics >= 0, got {self.decoding_dynamics}")
        if self.probe_examples < 10:
            raise ValueError(f"expected probe_examples >= 10, got {self.probe_examples}")
        if self.decoding_dtype not in ("float32", "float64"):
            raise ValueError(f"expected decoding_dtype to be float32 or float64, got {self.decoding_dtype!r}")


@dataclasses.dataclass(frozen=True)
class CapacityCheckConfig:
    """Settings of the comparison of simulated and mean-field capacity; the manifolds are those of the geometry step.

    Attributes:
      capacity_epochs: which epochs, see `analysis.select_epochs`.
      capacity_classes: simulate at most this many classes, drawn from the seed; None for as many as the geometry has.
      capacity_dichotomies: random labellings tested at each number of features that is tried.
      capacity_repetitions: independent simulations, whose mean is reported.
    """

    capacity_epochs: str = "best,final"
    capacity_classes: int | None = None
    capacity_dichotomies: int = 12
    capacity_repetitions: int = 1

    def validate(self) -> None:
        """Checks every field that can be checked without the run.

        Raises:
          ValueError: expected X, got Y.
        """
        from memorize_jax.analysis.epochs import check_epochs

        check_epochs("capacity_epochs", self.capacity_epochs)
        least = {"capacity_classes": 2, "capacity_dichotomies": 2, "capacity_repetitions": 1}
        for name, bound in least.items():
            if getattr(self, name) is not None and getattr(self, name) < bound:
                raise ValueError(f"expected {name} >= {bound}, got {getattr(self, name)}")


@dataclasses.dataclass(frozen=True)
class UmapConfig:
    """Settings of the embedding of layers in the plane.

    Attributes:
      umap_epochs: which epochs, see `analysis.select_epochs`.
      umap_classes: the first so many classes; the paper's 10.
      umap_examples: of each class in each group, at most.
      umap_neighbors: of a point that UMAP keeps near it.
    """

    umap_epochs: str = "0,best,final"
    umap_classes: int = 10
    umap_examples: int = 50
    umap_neighbors: int = 15

    def validate(self) -> None:
        """Checks every field that can be checked without the run.

        Raises:
          ValueError: expected X, got Y.
        """
        from memorize_jax.analysis.epochs import check_epochs

        check_epochs("umap_epochs", self.umap_epochs)
        for name, bound in {"umap_classes": 2, "umap_examples": 2, "umap_neighbors": 2}.items():
            if getattr(self, name) < bound:
                raise ValueError(f"expected {name} >= {bound}, got {getattr(self, name)}")


@dataclasses.dataclass(frozen=True)
class Preset:
    """One named study.

    Attributes:
      summary: what it is, for `--help` and the report.
      run: RunConfig.
      geometry: GeometryConfig.
      decoding: DecodingConfig.
      rewinding: RewindingConfig.
      gradients: GradientsConfig.
      capacity_check: CapacityCheckConfig.
      umap: UmapConfig.
      widths: of the double descent sweep, in the form of its flag; empty for a study of one network.
    """

    summary: str
    run: RunConfig
    geometry: GeometryConfig
    decoding: DecodingConfig = DecodingConfig()
    rewinding: RewindingConfig = RewindingConfig()
    gradients: GradientsConfig = GradientsConfig()
    capacity_check: CapacityCheckConfig = CapacityCheckConfig()
    umap: UmapConfig = UmapConfig()
    widths: str = ""


_MASC = {
    "dataset": "fashion_mnist",
    "scaling": "symmetric",
    "init": "torch",
    "permuted_fraction": 0.4,
    "permutation": "uniform",
    "batch_size": 128,
    "epochs": 500,
    "stop_accuracy": 0.991,
}

PRESETS = {
    "smoke": Preset(
        "seconds; for tests",
        RunConfig(dataset="digits", width=32, learning_rate=3e-3, epochs=4),
        GeometryConfig(examples_per_class=10, num_draws=20, num_center_components=1),
        DecodingConfig(decoding_epochs="0,final", decoding_dynamics=3, probe_examples=300),
    ),
    "digits": Preset(
        "scikit-learn's handwritten digits, half of the labels permuted; about a minute on two cores",
        RunConfig(dataset="digits", width=256, learning_rate=1e-4, epochs=1000),
        # One component for all layers: with ten classes a K that jumps between layers hides what the layers do.
        GeometryConfig(examples_per_class=30, num_draws=300, num_center_components=1),
        DecodingConfig(decoding_dynamics=6, probe_examples=1000),
    ),
    "spheres": Preset(
        "the paper's synthetic spheres (A.5) at CPU size, half of the labels permuted; minutes on two cores",
        RunConfig(dataset="spheres_small", width=256, learning_rate=3e-4, epochs=300),
        GeometryConfig(examples_per_class=50, num_draws=200, num_center_components=1),
    ),
    "spheres_mlp": Preset(
        "the paper's spheres and MLP at full size (table 1, figures A.3 and A.4); accelerator",
        RunConfig(dataset="spheres"),
        GeometryConfig(),
    ),
    "fashion_mnist": Preset(
        "Fashion-MNIST, all 60,000 images, MLP, half of the labels permuted; an hour on two cores",
        RunConfig(dataset="fashion_mnist", width=512, learning_rate=3e-4, epochs=300),
        GeometryConfig(num_center_components=1),
    ),
    # The convolutional networks start as in PyTorch, the language of the authors' published geometry tool; the paper
    # itself does not say.
    "fashion_vgg16": Preset(
        "Fashion-MNIST padded to 32 x 32 x 3, VGG16, half of the labels permuted; accelerator",
        RunConfig(dataset="fashion_mnist_32", model="vgg16", init="torch"),
        GeometryConfig(num_center_components=1),
    ),
    "cifar100_alexnet": Preset(
        "the paper's AlexNet on CIFAR-100 (table 2, figure A.5), half of the labels permuted; accelerator",
        RunConfig(dataset="cifar100", model="alexnet", init="torch"),
        GeometryConfig(),
    ),
    "cifar100_vgg16": Preset(
        "the paper's VGG16 on CIFAR-100 (table 3, figures 2 to 5), half of the labels permuted; accelerator",
        RunConfig(dataset="cifar100", model="vgg16", init="torch"),
        GeometryConfig(),
    ),
    "cifar100_resnet18": Preset(
        "the paper's ResNet18 on CIFAR-100 (table 4, figure A.6), half of the labels permuted; accelerator",
        RunConfig(dataset="cifar100", model="resnet18", init="torch"),
        GeometryConfig(),
    ),
    "tiny_imagenet_resnet18": Preset(
        "the paper's ResNet18 on Tiny ImageNet (table 5, figure A.7), half of the labels permuted; accelerator",
        RunConfig(dataset="tiny_imagenet", model="resnet18_tiny", init="torch"),
        # 100 of the 200 classes, as many manifolds as for CIFAR-100.
        GeometryConfig(max_classes=100),
    ),
    "double_descent": Preset(
        "ResNet18 of widths 1 to 64 on CIFAR-100, 10 % of the labels permuted (figures 4C-E); accelerator",
        RunConfig(
            dataset="cifar100",
            model="resnet18",
            init="torch",
            permuted_fraction=0.1,
            stop_accuracy=1.0,
            keep="best,last",
        ),
        GeometryConfig(),
        widths="1,2,3,4,6,8,12,16,24,32,48,64",
    ),
    "double_descent_small": Preset(
        "the same at CPU size: narrow networks on 1,000 images of Fashion-MNIST at 14 x 14; ten minutes on two cores",
        RunConfig(
            dataset="fashion_mnist_14",
            model="resnet18",
            init="torch",
            num_train=1000,
            permuted_fraction=0.1,
            learning_rate=2e-3,
            batch_size=125,
            epochs=60,
            stop_accuracy=1.0,
            keep="best,last",
        ),
        GeometryConfig(num_center_components=1, num_draws=200),
        widths="1,2,3,4,6,8",
    ),
    # Ketha and Ramaswamy's networks; --permuted_fraction=0.2, 0.4, 0.6, 0.8 are their degrees of corruption. They print
    # no settings for this MLP on these data, and trained it on others by SGD; Adam at the rate of their CNN is ours.
    "masc_mlp_fashion_mnist": Preset(
        "the decoding paper's MLP on Fashion-MNIST, 40 % of the labels drawn anew from all classes; accelerator",
        RunConfig(model="masc_mlp", learning_rate=2e-4, **_MASC),
        GeometryConfig(num_center_components=1),
    ),
    "masc_cnn_fashion_mnist": Preset(
        "the decoding paper's CNN on Fashion-MNIST, 40 % of the labels drawn anew from all classes; accelerator",
        RunConfig(model="masc_cnn", learning_rate=2e-4, **_MASC),
        GeometryConfig(num_center_components=1),
        # The layers that the paper probes: the flattened output of the convolutions is that of conv6.
        DecodingConfig(decoding_layers="input,conv6,linear7,linear8,linear9"),
    ),
}


def get_preset(name: str) -> Preset:
    """Looks up a preset.

    Raises:
      ValueError: no such preset; names those there are.
    """
    if name not in PRESETS:
        raise ValueError(f"expected preset to be one of {', '.join(PRESETS)}, got {name!r}")
    return PRESETS[name]
