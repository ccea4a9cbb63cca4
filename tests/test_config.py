"""Settings, of a run and of every measurement: declared in one way, checked in one way."""

import dataclasses
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


def test_nan_is_no_number_but_integers_are_floats_and_numpys_numbers_are_numbers():
    for name in ("permuted_fraction", "learning_rate", "stop_accuracy", "dropout"):
        with pytest.raises(ValueError, match=f"expected {name} .*, got nan"):
            RunConfig(**{name: float("nan")}).validate()
    RunConfig(learning_rate=1, stop_accuracy=1, seed=np.int64(3), permuted_fraction=np.float32(0.5)).validate()
