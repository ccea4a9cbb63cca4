"""Settings of every step of a study after training."""

import dataclasses


def _check_least(config, bounds):
    """None is not bound: a field that may be missing says what it means."""
    for name, bound in bounds.items():
        value = getattr(config, name)
        if value is not None and value < bound:
            raise ValueError(f"expected {name} >= {bound}, got {value}")


def _check_choices(config, choices):
    for name, allowed in choices.items():
        if getattr(config, name) not in allowed:
            raise ValueError(f"expected {name} to be one of {', '.join(allowed)}, got {getattr(config, name)!r}")


def _check_epochs(name, spec):
    # Here, for analysis takes a second to import and training does without.
    from memorize_jax.analysis.epochs import check_epochs

    check_epochs(name, spec)


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
        _check_least(self, {"examples_per_class": 2, "max_classes": 2, "num_draws": 2})
        checks = {
            "kappa": (0 <= self.kappa < float("inf"), ">= 0"),
            "num_center_components": (self.num_center_components >= -1, ">= 0, or -1 to choose it"),
            "compat": (self.compat in (None, "mftma"), "to be 'mftma' or not given"),
        }
        for name, (good, expected) in checks.items():
            if not good:
                raise ValueError(f"expected {name} {expected}, got {getattr(self, name)}")
        _check_epochs("geometry_epochs", self.geometry_epochs)


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
        from memorize_jax.analysis.rewinding import BN_POLICIES, INTO, check_units

        _check_epochs("rewind_epochs", self.rewind_epochs)
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
        from memorize_jax.analysis.gradient_parts import CENTERINGS, WEIGHTINGS
        from memorize_jax.analysis.gradients import BN_MODES

        _check_epochs("gradient_epochs", self.gradient_epochs)
        _check_choices(
            self,
            {"gradient_bn": BN_MODES, "gradient_weighting": WEIGHTINGS, "gradient_centering": CENTERINGS},
        )


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
        _check_epochs("decoding_epochs", self.decoding_epochs)
        _check_least(self, {"decoding_dynamics": 0, "probe_examples": 10})
        _check_choices(self, {"decoding_dtype": ("float32", "float64")})


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
    capacity_dichotomies: int = 40
    capacity_repetitions: int = 1

    def validate(self) -> None:
        """Checks every field that can be checked without the run.

        Raises:
          ValueError: expected X, got Y.
        """
        _check_epochs("capacity_epochs", self.capacity_epochs)
        _check_least(self, {"capacity_classes": 2, "capacity_dichotomies": 2, "capacity_repetitions": 1})


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
        _check_epochs("umap_epochs", self.umap_epochs)
        _check_least(self, {"umap_classes": 2, "umap_examples": 2, "umap_neighbors": 2})
