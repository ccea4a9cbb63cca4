"""What defines a training run."""

import dataclasses
import numbers
import typing
from collections.abc import Sequence

from memorize_jax.data import MODES, SCALINGS
from memorize_jax.data import check_name as check_dataset
from memorize_jax.keep import check_keep
from memorize_jax.models import check_dropout, check_init
from memorize_jax.models import check_name as check_model

DTYPES = ("float32", "bfloat16")
# Precisions of the computation; TF32 is float32 with products of ten bits on the tensor cores of recent GPUs.
COMPUTE_DTYPES = ("float32", "tf32", "bfloat16")
ON_NAN = ("stop", "restore")
# Type of a field -> what its values are; a bool is one of the integers in Python, but not here.
KINDS = {int: numbers.Integral, float: numbers.Real}


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Everything that decides the outcome of a run; the defaults are the paper's.

    Attributes:
      dataset: name in `data.LOADERS`, or MODULE:NAME, see `data.load`.
      data_dir: folder of the data set's files, or None for where they usually are.
      num_train: training examples to use, the same share of every class; None for all.
      scaling: of images, one of `data.SCALINGS`.
      model: name in `models.MODELS`, or MODULE:NAME, see `models.create`.
      width: of the model, or None for the paper's.
      init: how parameters start, one of `models.INITS`; the paper does not say.
      dropout: rate, or None for that of the paper's table.
      dtype: of the computation while training, one of `COMPUTE_DTYPES`; parameters and loss are float32.
      permuted_fraction: share of the training labels that is permuted.
      permutation: mode of `data.permute_labels`.
      learning_rate: of Adam.
      batch_size: global, over all devices.
      seed: governs initialisation, permutation, order of examples and geometry draws.
      epochs: most epochs.
      stop_accuracy: training accuracy on the assigned labels above which training stops.
      extra_epochs: epochs to go on after that.
      keep: which epochs' networks stay on disk, see `keep.kept_epochs`; the best and the last always do.
      keep_dtype: of those networks, one of `DTYPES`; the best and the last are kept in full.
      on_nan: what to do when the loss is not finite: "stop", or "restore" the last epoch and go on from there at half
        the learning rate.
      steps_per_call: steps that one call to the device does; None for 1 on CPU, where a convolution inside a loop is
        slow, and 16 elsewhere.
      tensorboard: write the metrics as event files for TensorBoard too.
    """

    dataset: str = "digits"
    data_dir: str | None = None
    num_train: int | None = None
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
    keep: str = "all"
    keep_dtype: str = "float32"
    on_nan: str = "stop"
    steps_per_call: int | None = None
    tensorboard: bool = False

    # Fields that may change when a run is continued: they say how long, not what.
    LENGTH_FIELDS = ("epochs", "stop_accuracy", "extra_epochs", "data_dir")
    # So may these: they say what is on disk, what happens when training fails, and how steps are dispatched.
    CARE_FIELDS = ("keep", "keep_dtype", "on_nan", "steps_per_call", "tensorboard")

    def validate(self) -> None:
        """Checks every field.

        Raises:
          ValueError: expected X, got Y.
        """
        _check_types(self)
        check_dataset(self.dataset)
        check_model(self.model)
        check_init(self.init)
        check_dropout(self.model, self.dropout)
        if self.dtype not in COMPUTE_DTYPES:
            raise ValueError(f"expected dtype to be one of {', '.join(COMPUTE_DTYPES)}, got {self.dtype!r}")
        check_keep(self.keep)
        if self.keep_dtype not in DTYPES:
            raise ValueError(f"expected keep_dtype to be one of {', '.join(DTYPES)}, got {self.keep_dtype!r}")
        if self.on_nan not in ON_NAN:
            raise ValueError(f"expected on_nan to be one of {', '.join(ON_NAN)}, got {self.on_nan!r}")
        if self.scaling not in SCALINGS:
            raise ValueError(f"expected scaling to be one of {', '.join(SCALINGS)}, got {self.scaling!r}")
        if self.permutation not in MODES:
            raise ValueError(f"expected permutation to be one of {', '.join(MODES)}, got {self.permutation!r}")
        checks = {
            "permuted_fraction": (0 <= self.permuted_fraction <= 1, "between 0 and 1"),
            "num_train": (self.num_train is None or self.num_train >= 1, ">= 1"),
            "width": (self.width is None or self.width >= 1, ">= 1"),
            "learning_rate": (0 < self.learning_rate < float("inf"), "> 0"),
            "batch_size": (self.batch_size >= 1, ">= 1"),
            "epochs": (self.epochs >= 1, ">= 1"),
            "stop_accuracy": (0 <= self.stop_accuracy <= 1, "between 0 and 1"),
            "steps_per_call": (self.steps_per_call is None or self.steps_per_call >= 1, ">= 1"),
            "extra_epochs": (self.extra_epochs >= 0, ">= 0"),
            "seed": (0 <= self.seed < 2**31, "between 0 and 2^31 - 1"),
        }
        for name, (good, expected) in checks.items():
            if not good:
                raise ValueError(f"expected {name} {expected}, got {getattr(self, name)}")

    def ends_after(self, number: int, train_accuracies: Sequence[float]) -> bool:
        """Tells whether training ends after epoch `number`.

        Args:
          number: of the last finished epoch.
          train_accuracies: of the epochs 0 .. number.

        Returns:
          True once the epochs are used up, or `extra_epochs` after the training accuracy first exceeded
          `stop_accuracy`.
        """
        if number >= self.epochs:
            return True
        reached = [epoch for epoch, accuracy in enumerate(train_accuracies) if accuracy > self.stop_accuracy]
        return bool(reached) and number >= reached[0] + self.extra_epochs

    def identity(self) -> dict:
        """The fields that must agree for two runs to be the same run."""
        may_change = (*self.LENGTH_FIELDS, *self.CARE_FIELDS)
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in may_change}


def _check_types(config):
    """Raises ValueError for a field whose value is not of the field's type, as in a file that was edited."""
    for name, hint in typing.get_type_hints(type(config)).items():
        value, types = getattr(config, name), typing.get_args(hint) or (hint,)
        is_bool = isinstance(value, bool)
        if not any(isinstance(value, KINDS.get(one, one)) and is_bool == (one is bool) for one in types):
            expected = " or ".join("None" if one is type(None) else one.__name__ for one in types)
            raise ValueError(f"expected {name} to be {expected}, got {value!r}")
