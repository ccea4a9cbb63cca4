"""Settings of every step of a study after training."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from memorize_jax.config import Settings


class AnalysisSettings(Settings):
    """Settings of a step that measures some epochs of a run."""

    def validate(self) -> None:
        """Checks every field that can be checked without the run.

        Raises:
          ValueError: expected X, got Y.
        """
        # Here, for analysis takes a second to import and training does without.
        from memorize_jax.epochs import check_epochs

        super().validate()
        for name, value in dataclasses.asdict(self).items():
            if name.endswith("_epochs"):
                check_epochs(name, value)


@dataclasses.dataclass(frozen=True)
class GeometryConfig(AnalysisSettings):
    """Settings of the geometry step.

    Attributes:
      geometry_epochs: which epochs: comma-separated numbers and best, final, all, log.
      examples_per_class: examples that stand for each class manifold (M); the paper's 50. None, for activations from a
        file: as many as each class has, 50 at most.
      max_classes: use at most this many classes, drawn from the seed.
      num_draws: Gaussian draws per manifold.
      kappa: margin of the capacity.
      num_center_components: shared center directions to remove; -1 chooses the number layer by layer.
      compat: 'mftma' for the published tool's conventions.
      joint_draws: draws of the joint geometry, in which all classes keep their places; 0 measures none.
      example_repeats: measure so many times, with other examples of the classes; the spread is a column, the numbers
        are those of the first choice.
    """

    geometry_epochs: str = "best,final"
    examples_per_class: int | None = 50
    max_classes: int | None = None
    num_draws: int = 300
    kappa: float = 0.0
    num_center_components: int = -1
    compat: str | None = None
    joint_draws: int = 200
    example_repeats: int = 1

    LEAST: ClassVar[dict] = {
        "examples_per_class": 2,
        "max_classes": 2,
        "num_draws": 2,
        "joint_draws": 0,
        "example_repeats": 1,
    }

    def validate(self) -> None:
        """Checks every field that can be checked without the data; raises ValueError."""
        super().validate()
        checks = {
            "kappa": (0 <= self.kappa < float("inf"), ">= 0"),
            "num_center_components": (self.num_center_components >= -1, ">= 0, or -1 to choose it"),
            "compat": (self.compat in (None, "mftma"), "to be 'mftma' or not given"),
            "joint_draws": (self.joint_draws != 1, ">= 2, or 0 to measure no joint geometry"),
        }
        for name, (good, expected) in checks.items():
            if not good:
                raise ValueError(f"expected {name} {expected}, got {getattr(self, name)}")


@dataclasses.dataclass(frozen=True)
class RewindingConfig(AnalysisSettings):
    """Settings of the rewinding step.

    Attributes:
      rewind_epochs: to which epochs: comma-separated numbers and best, final, all, log.
      rewind_layers: comma-separated: each; conv, every convolution; last:K, the last K together; all, together; or
        names of layers that go together joined by +.
      rewind_into: final puts the earlier layers into the final network, early the final ones into the earlier.
      bn: what happens to the BatchNorm of these layers, see `analysis.rewinding.transplant`.
    """

    rewind_epochs: str = "log,best,final"
    rewind_layers: str = "each,last:2,last:3"
    rewind_into: str = "final"
    bn: str = "with_layer"

    @classmethod
    def choices(cls) -> dict[str, Sequence[str]]:
        """Field -> the values that it can have."""
        from memorize_jax.analysis.rewinding import BN_POLICIES, INTO

        return {"rewind_into": INTO, "bn": BN_POLICIES}

    def validate(self) -> None:
        """Checks every field that can be checked without the run; raises ValueError."""
        from memorize_jax.analysis.rewinding import check_units

        super().validate()
        check_units(self.rewind_layers)


@dataclasses.dataclass(frozen=True)
class GradientsConfig(AnalysisSettings):
    """Settings of the gradient ledger.

    Attributes:
      gradient_epochs: which epochs: comma-separated numbers and best, final, all, log.
      gradient_bn: statistics of BatchNorm: train, those of mixed batches, or eval, the running ones.
      gradient_weighting: of a group: subset, the mean over it, or share, its share in the mean over all (equation 22).
      gradient_centering: over what the mean gradient taken off both parts (equation 13) goes; those of equation 16 go
        over the data set.
    """

    gradient_epochs: str = "log,best,final"
    gradient_bn: str = "train"
    gradient_weighting: str = "subset"
    gradient_centering: str = "dataset"

    @classmethod
    def choices(cls) -> dict[str, Sequence[str]]:
        """Field -> the values that it can have."""
        from memorize_jax.analysis.gradient_parts import CENTERINGS, WEIGHTINGS
        from memorize_jax.analysis.gradients import BN_MODES

        return {"gradient_bn": BN_MODES, "gradient_weighting": WEIGHTINGS, "gradient_centering": CENTERINGS}


@dataclasses.dataclass(frozen=True)
class DecodingConfig(AnalysisSettings):
    """Settings of the decoding step.

    Attributes:
      decoding_epochs: which epochs to read with all controls: comma-separated numbers and best, final, all, log.
      decoding_dynamics: also read this many epochs, spread over the run, by the closed-form methods.
      decoding_layers: which layers: comma-separated names, or all.
      probe_examples: training examples that scikit-learn's probes are fitted to, at most.
      decoding_dtype: of the subspaces.
    """

    decoding_epochs: str = "0,best,final"
    decoding_dynamics: int = 8
    decoding_layers: str = "all"
    probe_examples: int = 5_000
    decoding_dtype: str = "float32"

    LEAST: ClassVar[dict] = {"decoding_dynamics": 0, "probe_examples": 10}

    @classmethod
    def choices(cls) -> dict[str, Sequence[str]]:
        """Field -> the values that it can have."""
        return {"decoding_dtype": ("float32", "float64")}


@dataclasses.dataclass(frozen=True)
class CapacityCheckConfig(AnalysisSettings):
    """Settings of the comparison of simulated and mean-field capacity; the manifolds are those of the geometry step.

    Attributes:
      capacity_epochs: which epochs: comma-separated numbers and best, final, all, log.
      capacity_classes: simulate at most this many classes, drawn from the seed; all of the geometry's if not given.
      capacity_dichotomies: random labelings tested at each number of features that is tried.
      capacity_repetitions: independent simulations, whose mean is reported.
    """

    capacity_epochs: str = "best,final"
    capacity_classes: int | None = None
    capacity_dichotomies: int = 40
    capacity_repetitions: int = 1

    LEAST: ClassVar[dict] = {"capacity_classes": 2, "capacity_dichotomies": 2, "capacity_repetitions": 1}


@dataclasses.dataclass(frozen=True)
class UmapConfig(AnalysisSettings):
    """Settings of the embedding of layers in the plane.

    Attributes:
      umap_epochs: which epochs: comma-separated numbers and best, final, all, log.
      umap_classes: the first so many classes; the paper's 10.
      umap_examples: of each class in each group, at most.
      umap_neighbors: of a point that UMAP keeps near it.
    """

    umap_epochs: str = "0,best,final"
    umap_classes: int = 10
    umap_examples: int = 50
    umap_neighbors: int = 15

    LEAST: ClassVar[dict] = {"umap_classes": 2, "umap_examples": 2, "umap_neighbors": 2}
