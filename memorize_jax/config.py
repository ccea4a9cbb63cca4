"""What defines a training run, and how settings are declared and checked."""

import contextlib
import dataclasses
import functools
import numbers
import types
import typing
from collections.abc import Sequence
from typing import Any

import numpy as np

from memorize_jax.data import MODES, SCALINGS, check_size
from memorize_jax.data import check_name as check_dataset
from memorize_jax.epochs import check_epochs, check_keep
from memorize_jax.models import INITS, check_dropout
from memorize_jax.models import check_name as check_model
from memorize_jax.plugins import is_own
from memorize_jax.recipe import check_augmentation, check_loss, check_optimizer, check_schedule

DTYPES = ("float32", "bfloat16")
# Precisions of the computation; TF32 is float32 with products of ten bits on the tensor cores of recent GPUs.
COMPUTE_DTYPES = ("float32", "tf32", "bfloat16")
ON_NAN = ("stop", "restore")
# The data set and the model of a run that was trained by a program of its own and watched (`watching`); of such a run
# only these settings are known.
WATCHED = "watched"
KNOWN_OF_WATCHED = ("dataset", "model", "permuted_fraction", "seed", "epochs", "keep", "keep_dtype")
# Type of a field -> what its values can be given as; a bool is one of the integers in Python, but not here.
KINDS = {int: numbers.Integral, float: numbers.Real, bool: bool | np.bool_, str: str}


def setting(
    default: Any,
    help: str,
    *,
    least: float | None = None,
    choices: Sequence[str] = (),
    changes: str = "",
    is_new: bool = False,
) -> Any:
    """Declares a field of a class of settings.

    Args:
      help: what the field means, a sentence; shown by `--help` and in the documentation.
      least: lowest value, if it is not None; None for no bound.
      choices: the values that the field can have; () for any.
      changes: "length" or "care" for a field of `RunConfig` that may change when a run is resumed.
      is_new: for a field of `RunConfig` that earlier versions did not have, which then trained as the default says: a
        config.json need not name it, and at its default it is left out of identities, so that they stay what they were.
    """
    about = {"help": help, "least": least, "choices": tuple(choices), "changes": changes, "is_new": is_new}
    return dataclasses.field(default=default, metadata=about)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Base of the frozen dataclasses of settings, whose fields are declared by `setting`.

    A value is held as the declared type, 1.0 for the 1 or the NumPy number that was given: equal settings are written,
    and hashed, alike. One that cannot be is held as it is, and refused by `validate`.
    """

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            for kind in field_types(type(self), field.name):
                # A whole number may be too large for a float.
                with contextlib.suppress(OverflowError):
                    if kind in KINDS and _can_be(kind, value):
                        # There is a zero with a minus sign, which equals the other one and is written otherwise.
                        object.__setattr__(self, field.name, kind(value) or kind())

    def validate(self) -> None:
        """Checks every field that can be checked without the data; raises ValueError "expected X, got Y"."""
        check_types(self)
        for field in dataclasses.fields(self):
            value, least, choices = getattr(self, field.name), field.metadata["least"], field.metadata["choices"]
            # The other way round NaN would pass.
            if least is not None and value is not None and not least <= value < float("inf"):
                raise ValueError(f"expected {field.name} >= {least}, got {value}")
            if choices and value not in choices:
                raise ValueError(f"expected {field.name} to be one of {', '.join(choices)}, got {value!r}")
            if field.name.endswith("_epochs") and isinstance(value, str):
                check_epochs(field.name, value)

    def apart_from_epochs(self, *others: str) -> dict:
        """The fields that rows depend on: all but those that choose epochs, and `others`, which choose rows too."""
        fields = dataclasses.asdict(self).items()
        return {name: value for name, value in fields if not name.endswith("_epochs") and name not in others}


def check(settings: Settings, name: str, good: bool, expected: str) -> None:
    """Raises ValueError "expected NAME EXPECTED, got VALUE" unless a field is `good`."""
    if not good:
        raise ValueError(f"expected {name} {expected}, got {getattr(settings, name)}")


@dataclasses.dataclass(frozen=True)
class RunConfig(Settings):
    """Everything that decides the outcome of a run; the defaults are the paper's."""

    dataset: str = setting("digits", "Name of a data set, or MODULE:NAME of your own function that loads one.")
    data_dir: str | None = setting(None, "Folder of the data set's files; None is the usual one.", changes="length")
    num_train: int | None = setting(
        None, "Training examples to use, the same share of every class; None is all.", least=1
    )
    image_size: int | None = setting(
        None,
        "Pixels on a side to which the pictures of dataset=image_folder are brought; None if they have one size.",
        least=4,
        is_new=True,
    )
    scaling: str = setting("channels", "How images are scaled.", choices=SCALINGS)
    model: str = setting("mlp", "Name of a network, or MODULE:NAME of your own models.Entry.")
    width: int | None = setting(None, "Width of the network; None is the paper's.", least=1)
    init: str = setting("lecun", "How parameters are initialized; the paper does not say.", choices=INITS)
    dropout: float | None = setting(None, "Dropout rate; None is the paper's.")
    dtype: str = setting(
        "float32", "Precision of the computation in training; parameters and loss are float32.", choices=COMPUTE_DTYPES
    )
    permuted_fraction: float = setting(0.5, "Share of the training labels to permute, 0 to 1.")
    permutation: str = setting("shuffle", "How labels are permuted, see data.permute_labels.", choices=MODES)
    optimizer: str = setting(
        "adam", "Optimizer: adam, adamw or sgd, or MODULE:NAME of your own, see docs/tutorial/recipe.md.", is_new=True
    )
    learning_rate: float = setting(1e-4, "Learning rate, of a schedule the highest.")
    momentum: float | None = setting(
        None, "Momentum of sgd, or of Adam its first decay rate; None is 0 and 0.9.", is_new=True
    )
    weight_decay: float = setting(
        0.0, "Weight decay: adamw takes it off the parameters, the others add it to the gradient.", is_new=True
    )
    schedule: str = setting(
        "constant",
        "Learning rate over training: constant, cosine (to 0), step (a tenth after a half and after three quarters), "
        "or MODULE:NAME of your own.",
        is_new=True,
    )
    schedule_epochs: int | None = setting(
        None, "Epochs that a schedule goes over; None is --epochs. A constant rate has none.", least=1, is_new=True
    )
    augment: str = setting(
        "none",
        "Random changes of the training images: none, flip, crop, or flip,crop; or MODULE:NAME of your own.",
        is_new=True,
    )
    loss: str = setting(
        "cross_entropy", "Loss: cross_entropy, mse (of logits), or MODULE:NAME of your own.", is_new=True
    )
    label_smoothing: float = setting(
        0.0, "Share of a label that goes to all classes evenly, in cross_entropy and mse.", is_new=True
    )
    batch_size: int = setting(1024, "Global batch size, over all devices.", least=1)
    seed: int = setting(0, "Seed of initialization, permutation, order of examples and geometry draws.")
    epochs: int = setting(1000, "Maximum number of epochs.", least=1, changes="length")
    stop_accuracy: float = setting(
        0.99, "Training accuracy on the assigned labels above which training stops.", changes="length"
    )
    extra_epochs: int = setting(0, "Epochs to train after stop_accuracy was reached.", least=0, changes="length")
    keep: str = setting("all", "Epochs whose networks stay on disk: all, every:K, log or best,last.", changes="care")
    keep_dtype: str = setting(
        "float32",
        "Precision of the networks on disk; the best and the last stay in float32.",
        choices=DTYPES,
        changes="care",
    )
    on_nan: str = setting(
        "stop",
        "What to do when the loss is not finite; restore resumes from the last epoch at half the learning rate.",
        choices=ON_NAN,
        changes="care",
    )
    steps_per_call: int | None = setting(
        None,
        "Training steps in one call to the device; None is 1 on CPU, where a convolution in a loop is slow, else 16.",
        least=1,
        changes="care",
    )
    tensorboard: bool = setting(
        False, "Also write metrics for TensorBoard, in tensorboard/ of the run.", changes="care"
    )
    wandb: bool = setting(
        False,
        "Also log metrics to Weights & Biases; offline, in wandb/ of the run, without WANDB_MODE.",
        changes="care",
    )
    mlflow: bool = setting(
        False, "Also log metrics to MLflow; in mlflow/ of the run without MLFLOW_TRACKING_URI.", changes="care"
    )

    def validate(self) -> None:
        """Checks every field; raises ValueError "expected X, got Y"."""
        super().validate()
        if not self.is_watched:
            check_dataset(self.dataset)
            check_size(self.dataset, self.image_size)
            check_model(self.model)
            check_dropout(self.model, self.dropout)
        check_keep(self.keep)
        check(self, "permuted_fraction", 0 <= self.permuted_fraction <= 1, "between 0 and 1")
        check(self, "learning_rate", 0 < self.learning_rate < float("inf"), "> 0")
        check_optimizer(self.optimizer, self.momentum, self.weight_decay)
        check_schedule(self.schedule)
        constant = self.schedule == "constant"
        check(self, "schedule_epochs", not (constant and self.schedule_epochs), "None with schedule=constant")
        check_augmentation(self.augment)
        check_loss(self.loss, self.label_smoothing)
        # Whatever an untrained network gets right is above 0, and would end the training before its first step.
        check(self, "stop_accuracy", 0 < self.stop_accuracy <= 1, "> 0 and at most 1")
        check(self, "seed", 0 <= self.seed < 2**31, "between 0 and 2^31 - 1")
        check(self, "epochs", self.epochs < 2**31, "below 2^31")

    @property
    def is_watched(self) -> bool:
        """Whether the run was trained by a program of its own."""
        return (self.dataset, self.model) == (WATCHED, WATCHED)

    @property
    def own_modules(self) -> tuple[str, ...]:
        """Modules of a reader's own code that take part: of what is named MODULE:NAME."""
        names = (self.dataset, self.model, self.optimizer, self.schedule, self.augment, self.loss)
        return tuple(name.partition(":")[0] for name in names if is_own(name))

    @property
    def known(self) -> tuple[str, ...]:
        """The fields that say something about the run; of one that was watched not all do."""
        return KNOWN_OF_WATCHED if self.is_watched else tuple(field.name for field in dataclasses.fields(self))

    def ends_after(self, number: int, train_accuracies: Sequence[float]) -> bool:
        """Whether training ends after epoch `number`, given the training accuracies of epochs 0 .. number."""
        return self.is_watched or number >= self.last_epoch(train_accuracies)

    def last_epoch(self, train_accuracies: Sequence[float]) -> int:
        """The epoch after which training ends, as far as the training accuracies of epochs 0, 1, ... tell.

        It is when the epochs are used up, or `extra_epochs` after the accuracy first exceeded `stop_accuracy`.
        """
        reached = (epoch for epoch, accuracy in enumerate(train_accuracies) if accuracy > self.stop_accuracy)
        return min(self.epochs, next(reached, self.epochs) + self.extra_epochs)

    @property
    def scheduled_epochs(self) -> int:
        """The epochs that the schedule of the learning rate goes over."""
        return self.schedule_epochs or self.epochs

    def stretch(self, **changes) -> "RunConfig":
        """A part of this run's training, which ends at other epochs or has another rate; its schedule stays."""
        kept = {} if self.schedule == "constant" else {"schedule_epochs": self.scheduled_epochs}
        return dataclasses.replace(self, **kept, **changes)

    def deciding(self) -> dict:
        """The fields that must agree for two runs to be the same run; the others say how long, or what is stored."""
        fields = [field for field in dataclasses.fields(self) if field.name in self.known]
        found = {field.name: getattr(self, field.name) for field in fields if not field.metadata["changes"]}
        # Where a schedule ends says how long it is trained, and what the rate is before.
        if "schedule" in found and self.schedule != "constant":
            found["schedule_epochs"] = self.scheduled_epochs
        return found

    def identity(self) -> dict:
        """Those of the `deciding` fields that identities are made of: without new ones at their default."""
        new = {field.name: field.default for field in dataclasses.fields(self) if field.metadata["is_new"]}
        return {name: value for name, value in self.deciding().items() if name not in new or value != new[name]}


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


@functools.cache
def field_types(kind: type, name: str) -> tuple[type, ...]:
    """The types that a field of settings can have, e.g. (int, NoneType)."""
    hint = _hints(kind)[name]
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (typing.get_origin(hint) or hint,)


def check_types(config: Settings | tuple) -> None:
    """Raises ValueError for a field whose value is not of the field's type, as in a file that was edited."""
    for name in _hints(type(config)):
        value, kinds = getattr(config, name), field_types(type(config), name)
        if not any(_can_be(one, value) for one in kinds):
            expected = " or ".join("None" if one is type(None) else one.__name__ for one in kinds)
            raise ValueError(f"expected {name} to be {expected}, got {value!r}")


def _can_be(kind, value):
    return isinstance(value, KINDS.get(kind, kind)) and isinstance(value, KINDS[bool]) == (kind is bool)
