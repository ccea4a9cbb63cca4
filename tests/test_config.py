"""Settings, of a run and of every measurement: declared in one way, checked in one way."""

import dataclasses
import json
import re

import numpy as np
import pytest

from memorize_jax.config import RunConfig, field_types
from memorize_jax.measurements.registry import settings_classes

# A value of no type of the field, by the type's name in the message.
WRONG = {
    "int": (0.5, 16.0, True, "7", [0], float("nan")),
    "float": ("0.1", True, [0.5]),
    "str": (3, ["mlp"], {}),
    "bool": (1, "yes", 0.0),
}
CLASSES = {"run": RunConfig, **settings_classes()}
FIELDS = {
    f"{name}-{field.name}": (settings_class, field)
    for name, settings_class in CLASSES.items()
    for field in dataclasses.fields(settings_class)
}


def refused(settings_class, field, value, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        settings_class(**{field.name: value}).validate()


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_says_what_it_is_and_refuses_what_it_cannot_be(name):
    settings_class, field = FIELDS[name]
    assert re.match(r"[A-Z].{8,}[.]$", field.metadata["help"]), "a sentence"
    kinds = field_types(settings_class, field.name)
    expected = " or ".join("None" if kind is type(None) else kind.__name__ for kind in kinds)
    for value in (*WRONG[kinds[0].__name__], *(() if type(None) in kinds else (None,))):
        refused(settings_class, field, value, f"expected {field.name} to be {expected}, got {value!r}")
    if (least := field.metadata["least"]) is not None:
        refused(settings_class, field, least - 1, f"expected {field.name} >= {least}, got {least - 1}")
        for value in (float("nan"), float("inf")) if kinds[0] is float else ():
            refused(settings_class, field, value, f"expected {field.name} >= {least}, got {value}")
    if choices := field.metadata["choices"]:
        assert field.default in choices
        message = f"expected {field.name} to be one of {', '.join(choices)}, got 'none of them'"
        refused(settings_class, field, "none of them", message)
    if field.name.endswith("_epochs") and kinds == (str,):
        refused(settings_class, field, "last", f"expected {field.name} to be numbers or best")


@pytest.mark.parametrize("name", CLASSES)
def test_the_defaults_can_be_and_no_field_is_of_two_measurements(name):
    settings_class = CLASSES[name]
    settings_class().validate()
    own = {field.name for field in dataclasses.fields(settings_class)}
    for other, another in CLASSES.items():
        assert other == name or not own & {field.name for field in dataclasses.fields(another)}


def test_a_value_is_held_as_the_declared_type():
    """Else equal configurations have other identities, and what NumPy counts cannot be written to a file."""
    given = {"permuted_fraction": 0, "learning_rate": np.float32(0.5), "weight_decay": -0.0, "momentum": np.int64(0)}
    given |= {"seed": np.int64(1), "epochs": np.int32(7), "width": np.uint8(9), "tensorboard": np.True_}
    given |= {"model": np.str_("mlp"), "num_train": None}
    expected = {"permuted_fraction": 0.0, "learning_rate": 0.5, "weight_decay": 0.0, "momentum": 0.0}
    expected |= {"seed": 1, "epochs": 7, "width": 9, "tensorboard": True, "model": "mlp", "num_train": None}
    config = RunConfig(**given)
    config.validate()
    assert json.dumps({name: getattr(config, name) for name in given}) == json.dumps(expected)
    assert json.dumps(config.identity()) == json.dumps(RunConfig(**expected).identity())
    settings = settings_classes()["geometry"](num_draws=np.int64(50), kappa=1)
    assert json.dumps([settings.num_draws, settings.kappa]) == "[50, 1.0]"


def test_numbers_that_are_no_such_type_are_not_guessed():
    for name, value in {"seed": 1.0, "width": np.float64(8), "epochs": True, "tensorboard": 1}.items():
        with pytest.raises(ValueError, match=f"expected {name} to be .*, got {re.escape(repr(value))}"):
            RunConfig(**{name: value}).validate()
    with pytest.raises(ValueError, match=r"expected permuted_fraction between 0 and 1, got 10+$"):
        RunConfig(permuted_fraction=10**400).validate()


@pytest.mark.parametrize("accuracy", [0, -0.1, 1.1])
def test_training_stops_above_an_accuracy_that_not_every_network_has(accuracy):
    with pytest.raises(ValueError, match=f"expected stop_accuracy > 0 and at most 1, got {float(accuracy)}"):
        RunConfig(stop_accuracy=accuracy).validate()


@pytest.mark.parametrize(
    ("options", "accuracies", "last"),
    [
        ({"epochs": 9}, [], 9),
        ({"epochs": 9}, [0.1, 0.5, 0.5], 9),
        ({"epochs": 9}, [0.1, 0.6, 0.3, 0.7], 1),
        ({"epochs": 9, "extra_epochs": 2}, [0.1, 0.6, 0.3, 0.7], 3),
        ({"epochs": 2, "extra_epochs": 5}, [0.1, 0.6], 2),
    ],
)
def test_the_last_epoch_is_known_once_the_accuracy_is_reached(options, accuracies, last):
    assert RunConfig(stop_accuracy=0.5, **options).last_epoch(accuracies) == last


def test_nan_is_no_number_but_integers_are_floats_and_numpys_numbers_are_numbers():
    for name in ("permuted_fraction", "learning_rate", "stop_accuracy", "dropout"):
        with pytest.raises(ValueError, match=f"expected {name} .*, got nan"):
            RunConfig(**{name: float("nan")}).validate()
    RunConfig(learning_rate=1, stop_accuracy=1, seed=np.int64(3), permuted_fraction=np.float32(0.5)).validate()
