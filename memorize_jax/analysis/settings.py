"""Which manifolds are measured and how; several measurements look at the same ones."""

import dataclasses

from memorize_jax.config import Settings, check, setting

# Fields that decide which manifolds are measured, and not how.
MANIFOLDS = ("examples_per_class", "max_classes")


@dataclasses.dataclass(frozen=True)
class GeometrySettings(Settings):
    """Settings of the geometry of class manifolds."""

    geometry_epochs: str = setting(
        "log:8,best,final", "Epochs to measure: comma-separated numbers and best, final, all, log, log:K."
    )
    examples_per_class: int | None = setting(
        50,
        "Examples that stand for a class manifold (M); the paper's 50. Of activations from a file (--points) as many "
        "as each class has, 50 at most, unless given.",
        least=2,
    )
    max_classes: int | None = setting(None, "Use at most this many classes, drawn from the seed.", least=2)
    num_draws: int = setting(300, "Gaussian draws per manifold.", least=2)
    kappa: float = setting(0.0, "Margin of the capacity.")
    num_center_components: int = setting(
        -1, "Shared center directions to remove (K); -1 chooses the number layer by layer."
    )
    compat: str | None = setting(None, "Conventions: None for ours, 'mftma' for those of the published tool.")
    joint_draws: int = setting(
        200, "Draws of the joint geometry, in which all classes keep their places; 0 measures none.", least=0
    )
    example_repeats: int = setting(
        1,
        "Measure this many times, each with other examples of the classes: the spread is a column, the numbers are "
        "those of the first choice.",
        least=1,
    )
    two_nn: bool = setting(
        False,
        "Also measure the dimension by the distances of each point to its two nearest neighbors, by scikit-dimension.",
    )

    def validate(self) -> None:
        """Checks every field that can be checked without the data; raises ValueError "expected X, got Y"."""
        super().validate()
        check(self, "kappa", 0 <= self.kappa < float("inf"), ">= 0")
        check(self, "num_center_components", self.num_center_components >= -1, ">= 0, or -1 to choose it")
        check(self, "compat", self.compat in (None, "mftma"), "to be 'mftma' or not given")
        check(self, "joint_draws", self.joint_draws != 1, ">= 2, or 0 to measure no joint geometry")

    def options(self, *, vary_components: bool = True) -> tuple[tuple[str, object], ...]:
        """What `analysis.network_geometries` is asked: names and values, as jit's static argument."""
        components = None if self.num_center_components < 0 else self.num_center_components
        return (
            ("num_draws", self.num_draws),
            ("kappa", self.kappa),
            ("num_center_components", components),
            ("compat", self.compat),
            ("vary_components", vary_components),
            ("joint_draws", self.joint_draws),
        )
