"""What defines a training run, and how settings are checked."""

import dataclasses
import numbers
import typing
from collections.abc import Sequence
from typing import ClassVar

from memorize_jax.data import MODES, SCALINGS
from memorize_jax.data import check_name as check_dataset
from memorize_jax.epochs import check_keep
from memorize_jax.models import INITS, check_dropout
from memorize_jax.models import check_name as check_model

DTYPES = ("float32", "bfloat16")
# Precisions of the computation; TF32 is float32 with products of ten bits on the tensor cores of recent GPUs.
COMPUTE_DTYPES = ("float32", "tf32", "bfloat16")
ON_NAN = ("stop", "restore")
# Type of a field -> what its values are; a bool is one of the integers in Python, but not here.
KINDS = {int: numbers.Integral, float: numbers.Real}


class Settings:
    """Base of the dataclasses of settings: they check themselves, and `--help` shows what they say under Attributes."""

    # Field -> its least value, or None, which is not bound: a field that may be missing says what it means.
    LEAST: ClassVar[dict] = {}

    @classmethod
    def choices(cls) -> dict[str, Sequence[str]]:
        """Field -> the values that it can have, where these are few."""
        return {}

    def validate(self) -> None:
        """Checks every field that can be checked without the data.

        Raises:
          ValueError: expected X, got Y.
        """
        check_types(self)
        for name, least in self.LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"expected {name} >= {least}, got {value}")
        for name, allowed in self.choices().items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"expected {name} to be one of {', '.join(allowed)}, got {getattr(self, name)!r}")


@dataclasses.dataclass(frozen=True)
class RunConfig(Settings):
    """Everything that decides the outcome of a run; the defaults are the paper's.

    Attributes:
      dataset: name of a data set, or MODULE:NAME, a function of yours that loads it.
      data_dir: folder of the data set's files, if not where they usually are.
      num_train: training examples to use, the same share of every class; all if not given.
      scaling: of images.
      model: name of a network, or MODULE:NAME, a models.Entry of yours.
      width: of the model; the paper's if not given.
      init: how parameters start; the paper does not say.
      dropout: rate; that of the paper's table if not given.
      dtype: of the computation while training; parameters and loss are float32.
      permuted_fraction: share of the training labels to permute, 0 to 1.
      permutation: how, see `data.permute_labels`.
      learning_rate: of Adam.
      batch_size: global, over all devices.
      seed: of initialization, permutation, order of examples and geometry draws.
      epochs: most epochs.
      stop_accuracy: training accuracy on the assigned labels above which training stops.
      extra_epochs: epochs to go on after that.
      keep: which epochs' networks stay on disk, besides the best and the last: all, every:K, log, or best,last.
      keep_dtype: of those networks; the best and the last stay in float32.
      on_nan: when the loss is not finite; restore goes on from the last epoch at half the learning rate.
      steps_per_call: training steps that one call to the device does; if not given 1 on CPU, where a convolution
        inside a loop is slow, and 16 elsewhere.
      tensorboard: write the metrics of every epoch for TensorBoard too, in tensorboard/ of the run's folder.
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

    LEAST: ClassVar[dict] = {
        **dict.fromkeys(("num_train", "width", "batch_size", "epochs", "steps_per_call"), 1),
        "extra_epochs": 0,
    }

    @classmethod
    def choices(cls) -> dict[str, Sequence[str]]:
        """Field -> the values that it can have."""
        precisions = {"dtype": COMPUTE_DTYPES, "keep_dtype": DTYPES}
        return {"scaling": SCALINGS, "init": INITS, "permutation": MODES, "on_nan": ON_NAN, **precisions}

    def validate(self) -> None:
        """Checks every field.

        Raises:
          ValueError: expected X, got Y.
        """
        super().validate()
        check_dataset(self.dataset)
        check_model(self.model)
        check_dropout(self.model, self.dropout)
        check_keep(self.keep)
        checks = {
            "permuted_fraction": (0 <= self.permuted_fraction <= 1, "between 0 and 1"),
            "learning_rate": (0 < self.learning_rate < float("inf"), "> 0"),
            "stop_accuracy": (0 <= self.stop_accuracy <= 1, "between 0 and 1"),
            "seed": (0 <= self.seed < 2**31, "between 0 and 2^31 - 1"),
            "epochs": (self.epochs < 2**31, "below 2^31"),
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


def check_types(config: Settings | tuple) -> None:
    """Raises ValueError for a field whose value is not of the field's type, as in a file that was edited."""
    for name, hint in typing.get_type_hints(type(config)).items():
        value, types = getattr(config, name), typing.get_args(hint) or (hint,)
        is_bool = isinstance(value, bool)
        if not any(isinstance(value, KINDS.get(one, one)) and is_bool == (one is bool) for one in types):
            expected = " or ".join("None" if one is type(None) else one.__name__ for one in types)
            raise ValueError(f"expected {name} to be {expected}, got {value!r}")
