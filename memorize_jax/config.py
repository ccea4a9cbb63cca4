"""What defines a training run."""

import dataclasses

from memorize_jax.data import MODES, SCALINGS
from memorize_jax.data import check_name as check_dataset
from memorize_jax.models import check_dropout, check_init
from memorize_jax.models import check_name as check_model

DTYPES = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Everything that decides the outcome of a run; the defaults are the paper's.

    Attributes:
      dataset: name in `data.LOADERS`.
      data_dir: folder of the data set's files, or None for where they usually are.
      scaling: of images, one of `data.SCALINGS`.
      model: name in `models.MODELS`.
      width: of the model, or None for the paper's.
      init: how parameters start, one of `models.INITS`; the paper does not say.
      dropout: rate, or None for that of the paper's table.
      dtype: of the computation while training, one of `DTYPES`; parameters and loss are float32.
      permuted_fraction: share of the training labels that is permuted.
      permutation: mode of `data.permute_labels`.
      learning_rate: of Adam.
      batch_size: global, over all devices.
      seed: governs initialisation, permutation, order of examples and geometry draws.
      epochs: most epochs.
      stop_accuracy: training accuracy on the assigned labels above which training stops.
      extra_epochs: epochs to go on after that.
    """

    dataset: str = "digits"
    data_dir: str | None = None
    scaling: str = "channels"
    model: str = "mlp"
    width: int | None = None
    init: str = "lecun"
    dropout: float | None = None
    dtype: str = "float32"
    permuted_fraction: float = 0.5
    permutation: str = "shuffle"
    learning_rate: float = 1e-4
    batch_size: int = 1024
    seed: int = 0
    epochs: int = 1000
    stop_accuracy: float = 0.99
    extra_epochs: int = 0

    # Fields that may change when a run is continued: they say how long, not what.
    LENGTH_FIELDS = ("epochs", "stop_accuracy", "extra_epochs", "data_dir")

    def validate(self) -> None:
        """Checks every field.

        Raises:
          ValueError: expected X, got Y.
        """
        check_dataset(self.dataset)
        check_model(self.model)
        check_init(self.init)
        check_dropout(self.model, self.dropout)
        if self.dtype not in DTYPES:
            raise ValueError(f"expected dtype to be one of {', '.join(DTYPES)}, got {self.dtype!r}")
        if self.scaling not in SCALINGS:
            raise ValueError(f"expected scaling to be one of {', '.join(SCALINGS)}, got {self.scaling!r}")
        if self.permutation not in MODES:
            raise ValueError(f"expected permutation to be one of {', '.join(MODES)}, got {self.permutation!r}")
        checks = {
            "permuted_fraction": (0 <= self.permuted_fraction <= 1, "between 0 and 1"),
            "width": (self.width is None or self.width >= 1, ">= 1"),
            "learning_rate": (0 < self.learning_rate < float("inf"), "> 0"),
            "batch_size": (self.batch_size >= 1, ">= 1"),
            "epochs": (self.epochs >= 1, ">= 1"),
            "stop_accuracy": (0 <= self.stop_accuracy <= 1, "between 0 and 1"),
            "extra_epochs": (self.extra_epochs >= 0, ">= 0"),
            "seed": (0 <= self.seed < 2**31, "between 0 and 2^31 - 1"),
        }
        for name, (good, expected) in checks.items():
            if not good:
                raise ValueError(f"expected {name} {expected}, got {getattr(self, name)}")

    def identity(self) -> dict:
        """The fields that must agree for two runs to be the same run."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in self.LENGTH_FIELDS}
