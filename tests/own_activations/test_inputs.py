"""What callers give, in every form they have it in, and what is refused in a line that names the layer."""

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pandas as pd
import pytest

from memorize_jax.own_activations.examples import choose_examples
from memorize_jax.own_activations.prepare import prepare
from tests.own_activations.made_up import recording

LAYERS, LABELS = recording()
V4, IT = LAYERS["V4"], LAYERS["IT"]
FLAT = {"V4": V4, "IT": IT.reshape(12, -1)}
HALF = V4.astype(ml_dtypes.bfloat16)


def equal(found, expected):
    assert list(found.layers) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(np.asarray(found.layers[name], np.float64), np.asarray(values, np.float64))


@pytest.mark.parametrize(
    ("given", "expected"),
    {
        "arrays": (LAYERS, FLAT),
        "one array": (V4, {"activations": V4}),
        "jax": ({"V4": jnp.asarray(V4)}, {"V4": V4.astype(np.float32)}),
        "bfloat16 of jax": ({"V4": jnp.asarray(HALF)}, {"V4": HALF}),
        "a data frame": (pd.DataFrame(V4), {"activations": V4}),
        "nested lists": ({"V4": V4.tolist()}, {"V4": V4}),
        "rows": ({"V4": list(V4), "IT": list(IT)}, FLAT),
        "batches": ({"V4": [V4[:5], V4[5:]], "IT": (IT[:7], IT[7:])}, FLAT),
        "batches of one": ({"IT": [IT[row : row + 1] for row in range(12)]}, {"IT": FLAT["IT"]}),
        "a tuple of one output": ({"V4": (V4,)}, {"V4": V4}),
    }.values(),
)
def test_activations_come_in_many_forms(given, expected):
    equal(prepare(given, LABELS), expected)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int8"])
def test_tensors_of_pytorch_with_gradients(dtype):
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(4 * V4).to(getattr(torch, dtype)).requires_grad_(dtype != "int8")
    expected = tensor.detach().float().numpy()
    equal(
        prepare({"V4": tensor, "IT": [tensor[:4], tensor[4:]]}, torch.tensor(LABELS)), {"V4": expected, "IT": expected}
    )


@pytest.mark.parametrize(
    ("labels", "names"),
    {
        "integers": (LABELS, [2, 5, 7]),
        "small unsigned": (LABELS.astype(np.uint8), [2, 5, 7]),
        "of jax": (jnp.asarray(LABELS), [2, 5, 7]),
        "a list": (LABELS.tolist(), [2, 5, 7]),
        "objects": (LABELS.astype(object), [2, 5, 7]),
        "a column": (LABELS[:, None], [2, 5, 7]),
        "a row": (LABELS[None], [2, 5, 7]),
        "text": (np.array([f"class {label}" for label in LABELS]), ["class 2", "class 5", "class 7"]),
        "bytes": (np.array([f"c{label}" for label in LABELS]).astype("S"), ["c2", "c5", "c7"]),
        "a series": (pd.Series([f"c{label}" for label in LABELS]), ["c2", "c5", "c7"]),
        "categories": (pd.Categorical([f"c{label}" for label in LABELS]), ["c2", "c5", "c7"]),
        "truth": (LABELS > 2, [False, True]),
    }.values(),
)
def test_classes_keep_their_names(labels, names):
    examples = prepare(LAYERS, labels).examples
    assert list(examples.names) == names
    assert [type(name) for name in examples.names] == [type(name) for name in names]
    places = LABELS > 2 if names == [False, True] else np.searchsorted([2, 5, 7], LABELS)
    np.testing.assert_array_equal(examples.codes, places)


@pytest.mark.parametrize(
    "mask",
    [
        LABELS < 7,
        (LABELS < 7)[:, None],
        (LABELS < 7).tolist(),
        {"IT": LABELS < 7},
        {"V4": LABELS < 7, "IT": LABELS > 0},
    ],
)
def test_a_mask_is_as_if_the_others_had_not_been_given(mask, key):
    keep = np.flatnonzero(LABELS < 7)
    labels = np.where(LABELS < 7, LABELS, -1)
    dirty = {"V4": np.where(LABELS[:, None] < 7, V4, np.nan), "IT": IT}
    found = prepare(dirty, labels, mask=mask)
    alone = prepare({name: values[keep] for name, values in LAYERS.items()}, LABELS[keep])
    assert found.left_out == "; 4 examples left out by mask"
    chosen, expected = (choose_examples(one.examples, key).indices for one in (found, alone))
    assert list(chosen) == list(expected) == [2, 5]
    assert all((chosen[name] == keep[expected[name]]).all() for name in chosen)


@pytest.mark.parametrize(
    "labels",
    {
        "floats": np.where(LABELS == 5, np.nan, LABELS),
        "floats of half the size": np.where(LABELS == 5, np.nan, LABELS).astype(np.float16),
        "integers of pandas": pd.Series(LABELS, dtype="Int64").mask(LABELS == 5),
        "objects": np.where(LABELS == 5, None, LABELS.astype(object)),
        "float objects": np.where(LABELS == 5, None, (LABELS * 1.0).astype(object)),
    }.values(),
)
def test_labels_of_others_may_be_missing(labels):
    """NaN makes floats of integers, which are still the classes of those that take part."""
    examples = prepare(LAYERS, labels, mask=LABELS != 5).examples
    assert examples.names == (2, 7)
    assert [type(name) for name in examples.names] == [int, int]
    assert (examples.rows.tolist(), examples.codes.tolist()) == ([0, 2, 3, 5, 6, 8, 9, 11], 4 * [0, 1])


def with_nan(*places):
    values = V4.copy()
    for place in places:
        values[place] = np.nan
    return values


def test_trials_with_nan_are_left_out_of_all_layers_and_counted():
    said = (
        "layer 'V4': 3 of 12 examples have NaN and are left out of all layers, 2 of them for unit 4 alone: without "
        "this unit they could stay; layer 'IT': 1 of 12 examples have NaN and are left out of all layers"
    )
    bad = IT.copy()
    bad[5, 2, 2] = np.nan
    with pytest.warns(UserWarning, match="layer") as warned:
        found = prepare({"V4": with_nan((1, 4), (8, 4), (9,)), "IT": bad}, LABELS)
    assert [str(one.message) for one in warned] == [said]
    assert found.left_out == "; 4 examples left out for NaN"
    assert found.examples.rows.tolist() == [0, 2, 3, 4, 6, 7, 10, 11]


WRONG = {
    "no labels": ({}, {"labels": None}, r"expected labels \[n\], the class of every example, got none"),
    "empty labels": ({}, {"labels": []}, r"one for every example, got shape \(0,\)"),
    "one label": ({}, {"labels": 0 * LABELS}, r"expected labels of at least 2 classes, got \[0\]"),
    "one-hot labels": ({}, {"labels": np.eye(8)[LABELS]}, r"got shape \(12, 8\); np.argmax\(labels, axis=1\)"),
    "no class": ({}, {"labels": LABELS - 3}, r"labels >= 0, got -1 in row 0, in 4 rows in all; .*mask=labels >= 0"),
    "a missing name": ({}, {"labels": [*"abcabcabcab", None]}, "a label for every example, got None in row 11"),
    "an empty name": ({}, {"labels": [*"abcabcabcab", ""]}, "a label for every example, got  in row 11"),
    "names and numbers": ({}, {"labels": np.array([*"abcabcabcab", 3], object)}, "expected integer labels"),
    "orientations": ({}, {"labels": LABELS * 22.5}, r"expected integer labels .*got float64.*np.unique\(np.ravel"),
    "floats, though masked": (
        {},
        {"labels": LABELS * 1.0, "mask": LABELS > 2},
        "expected integer labels .*got float64",
    ),
    "measured, NaN masked": (
        {},
        {"labels": np.where(LABELS == 5, np.nan, LABELS + 0.5), "mask": LABELS != 5},
        "expected integer labels .*got float64",
    ),
    "no label": (
        {},
        {"labels": np.where(LABELS == 5, np.nan, LABELS)},
        r"a label for every example, got nan in row 1, in 4 rows in all; leave .* class: mask=~np.isnan\(labels\)$",
    ),
    "half a number of examples": ({}, {"examples_per_class": 2.5}, "expected examples_per_class to be a whole n.*2.5$"),
    "text for a number": ({}, {"examples_per_class": "5"}, "expected examples_per_class to be a whole number, got '5'"),
    "no examples": ({}, {"examples_per_class": 0}, "expected examples_per_class >= 1, got 0"),
    "half a class": ({}, {"max_classes": 2.5}, "expected max_classes to be a whole number, got 2.5"),
    "half a seed": ({}, {"seed": 0.5}, "expected seed to be a whole number, got 0.5"),
    "a long seed": ({}, {"seed": 2**40}, r"expected seed of 32 bits, below 2\*\*32, got 1099511627776"),
    "masked labels": ({}, {"labels": np.ma.masked_equal(LABELS, 2)}, "labels without masked values, got 4"),
    "units x trials": (
        {"V4": V4.T},
        {},
        r"activations \[12, ...\] for layer 'V4', got \(5, 12\); np.moveaxis\(values, -1",
    ),
    "one unit": (
        {"V4": V4[:, 0]},
        {},
        r"expected activations \[12, ...\] for layer 'V4', got \(12,\); values\[:, None\]",
    ),
    "no unit": ({"V4": V4[:, :0]}, {}, r"at least one unit for layer 'V4', got \(12, 0\)"),
    "a ragged list": ({"V4": [V4[:6], V4[6:, :4]]}, {}, r"equal shape in layer 'V4', got \(6, 5\) and \(6, 4\)"),
    "batches short": ({"V4": [V4[:6], V4[:5]]}, {}, "12 examples in all, for layer 'V4', got 2 parts with 11"),
    "a list of layers": (
        [V4, V4, V4],
        {},
        r"for layer 'activations', got 3 .*if each is a layer, give \{name: array\}",
    ),
    "two outputs": ({"lstm": (V4, V4)}, {}, "expected one array for layer 'lstm', got a tuple of 2 outputs; choose"),
    "rows or outputs": ({"V4": 12 * [V4]}, {}, r"layer 'V4', got 12 arrays \(12, 5\) that may be either"),
    "ragged rows": (
        {"V4": [*V4[:11].tolist(), [1.0]]},
        {},
        "expected activations of layer 'V4' as one array, got list",
    ),
    "text": ({"V4": V4.astype(str)}, {}, "expected real numbers as activations of layer 'V4', got <U"),
    "complex": ({"fft": V4 + 1j}, {}, "expected real numbers as activations of layer 'fft', got complex128"),
    "no layers": ({}, {"empty": True}, "expected at least one layer, got none"),
    "numbered layers": ({3: V4}, {}, r"expected text as names of layers, got 3; str\(name\) makes it"),
    "infinite": (
        {"V4": np.where(V4 > 1, np.inf, V4)},
        {},
        "NaN or infinite values in row .* of layer 'V4', in . of 12",
    ),
    "NaN refused": (
        {"V4": with_nan((3, 1))},
        {"nan": "raise"},
        "in row 3 of layer 'V4', in 1 of 12 .*nan=\"drop\" leaves",
    ),
    "dead unit": (
        {"V4": with_nan((slice(None), 1))},
        {},
        r"layer 'V4', got NaN in every example of 1 units, .*unit 1; le",
    ),
    "dead layer": ({"V4": V4 * np.nan}, {}, "finite points of layer 'V4', got NaN in every unit of every example"),
    "unknown nan": ({}, {"nan": "zero"}, "expected nan to be one of drop, raise, got 'zero'"),
    "a short mask": ({}, {"mask": LABELS[1:] > 2}, r"expected mask \[12\] of booleans, got bool \(11,\)"),
    "rows as a mask": ({}, {"mask": LABELS}, r"expected mask \[12\] of booleans, got int64 \(12,\); mask == 1 makes"),
    "mask of no layer": ({}, {"mask": {"V1": LABELS > 2}}, "expected mask for layers out of V4, IT, got 'V1'"),
    "mask of nothing": ({}, {"mask": LABELS > 9}, "expected examples that take part, got none of 12 by mask"),
    "another unequal": ({}, {"unequal": "cut"}, "expected unequal to be one of mask, subsample, got 'cut'"),
}


@pytest.mark.parametrize(("layers", "options", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_a_line(layers, options, message):
    options = dict(options)
    layers = {} if options.pop("empty", False) else layers or LAYERS
    labels = options.pop("labels", LABELS)
    with pytest.raises(ValueError, match=message) as raised:
        # Callers' arguments are not checked by annotations, as those of tests are.
        getattr(prepare, "__wrapped__", prepare)(layers, labels, **options)
    assert "\n" not in str(raised.value)


@pytest.mark.filterwarnings("ignore:layer 'V4'")
def test_a_class_that_has_only_nan_is_named():
    with pytest.raises(
        ValueError, match="without NaN in every class, got none in class 7; mask=labels != 7 leaves the"
    ):
        prepare({"V4": with_nan(LABELS == 7)}, LABELS)
    half = (LABELS > 2)[:, None]
    layers = {"V4": np.where(half, np.nan, V4), "V4 later": np.where(half, V4, np.nan)}
    with pytest.raises(ValueError, match="without NaN, got none in layers V4, V4 later; leave layers out"):
        prepare(layers, LABELS)
