import dataclasses
import re

import numpy as np
import pytest

from memorize_jax.config import RunConfig

# A value of no type of the field -> how the message calls the type.
WRONG = {
    "int": (0.5, 16.0, True, "7", [0], float("nan")),
    "float": ("0.1", True, [0.5]),
    "str": (3, ["mlp"], {}),
    "bool": (1, "yes", 0.0),
}


@pytest.mark.parametrize("field", dataclasses.fields(RunConfig), ids=lambda field: field.name)
def test_a_value_of_another_type_is_refused_by_name(field):
    kind, _, optional = str(getattr(field.type, "__name__", field.type)).partition(" | ")
    expected = f"{kind} or {optional}" if optional else kind
    for value in (*WRONG[kind], *(() if optional else (None,))):
        message = re.escape(f"expected {field.name} to be {expected}, got {value!r}")
        with pytest.raises(ValueError, match=f"^{message}$"):
            dataclasses.replace(RunConfig(), **{field.name: value}).validate()


@pytest.mark.parametrize("name", ["permuted_fraction", "learning_rate", "stop_accuracy", "dropout"])
def test_nan_is_no_number(name):
    with pytest.raises(ValueError, match=f"expected {name} .*, got nan"):
        RunConfig(**{name: float("nan")}).validate()


def test_integers_are_floats_and_numpys_numbers_are_numbers():
    RunConfig(learning_rate=1, stop_accuracy=1, seed=np.int64(3), permuted_fraction=np.float32(0.5)).validate()
