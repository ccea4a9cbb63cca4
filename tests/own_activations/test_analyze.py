import subprocess
import sys

import jax
import numpy as np
import pytest

from memorize_jax import analyze, geometry
from memorize_jax.own_activations import measure
from memorize_jax.storage.tables import GEOMETRY

# One shape for all that is really measured: four layers, four classes, twelve examples at most.
OPTIONS = {"num_draws": 20, "num_center_components": 0}
SIZES = (5, 12, 9, 6)


def activations(sizes=SIZES):
    """A layer that mixes the classes, one that separates them, one of two features, and a dead one; labels."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    centers = rng.normal(size=(len(sizes), 20))
    early = (centers[labels] + 3 * rng.normal(size=(len(labels), 20))).astype(np.float32)
    late = (3 * centers[labels] + rng.normal(size=(len(labels), 20))).reshape(-1, 4, 5)
    return {"early": early, "late": late.astype(np.float32), "narrow": early[:, :2], "dead": 0 * early}, labels


@pytest.fixture(scope="module")
def measured():
    """The result for classes 3, 13, 23, 33 in a random order, and what was warned of."""
    layers, labels = activations()
    order = np.random.default_rng(1).permutation(len(labels))
    shuffled = {name: values[order] for name, values in layers.items()}
    with pytest.warns(UserWarning, match="layer '") as said:
        result = analyze(shuffled, 10 * labels[order] + 3, joint_draws=60, **OPTIONS)
    return result, shuffled, 10 * labels[order] + 3, [str(one.message) for one in said]


def test_one_call_gives_a_table_and_a_plot(measured, tmp_path):
    result, *_ = measured
    assert result.taken == "all 5 to 12 examples of each of 4 classes"
    assert repr(result).startswith(
        "Analysis(layers early, late, narrow, dead: all 5 to 12 examples of each of 4 classes)"
    )
    assert result.plot(tmp_path / "own.svg").read_text().startswith("<?xml")
    table = result.to_dataframe()
    assert tuple(table.columns) == GEOMETRY
    assert table["layer"].tolist() == ["early", "late", "narrow", "dead"]
    assert table["capacity"][1] > 1.5 * table["capacity"][0]
    assert table["examples_per_class"].tolist() == 4 * [5]
    assert (table["status"] > 0).tolist() == [False, False, False, True]
    assert table["num_valid_classes"].tolist() == [4, 4, 4, 0]
    summary = result.summary()
    assert summary.columns.tolist() == ["capacity", "radius", "dimension", "center_correlation", "joint_capacity"]
    assert summary["capacity"].tolist()[:2] == table["capacity"].tolist()[:2]


def listed(result, layers):
    """Layer -> the points of each class, as they were chosen."""
    flat = {name: values.reshape(len(values), -1) for name, values in layers.items()}
    return {name: [values[rows] for rows in result.indices.values()] for name, values in flat.items()}


@pytest.mark.filterwarnings("ignore:layer 'dead'")
def test_classes_of_unequal_size_are_masked_as_a_list_is(measured):
    result, layers, labels, _ = measured
    assert result.geometry.classes == (3, 13, 23, 33)
    for label, rows in result.indices.items():
        assert sorted(rows) == np.flatnonzero(labels == label).tolist()
    expected = geometry.layer_geometry(listed(result, layers), key=jax.random.key(0), **OPTIONS)
    np.testing.assert_allclose(result.geometry.capacity, expected.capacity, rtol=1e-5)
    np.testing.assert_array_equal(result.geometry.num_examples, expected.num_examples)


@pytest.mark.filterwarnings("ignore:layer 'narrow'")
def test_the_joint_geometry_comes_with_it_and_is_warned_of_once(measured):
    result, layers, _, said = measured
    table = result.to_dataframe()
    np.testing.assert_allclose(table["joint_capacity"], result.joint.capacity, rtol=1e-6)
    assert table["joint_status"].tolist() == result.joint.status.tolist()
    assert table["joint_capacity"][1] > table["joint_capacity"][0]
    late = result.to_dataframe(per="class").query("layer == 'late'")
    np.testing.assert_allclose(1 / np.mean(1 / late["joint_class_capacity"]), table["joint_capacity"][1], rtol=1e-4)
    expected = geometry.layer_joint_geometry(listed(result, layers), key=jax.random.key(0), num_draws=60)
    np.testing.assert_allclose(table["joint_capacity"], expected.capacity, rtol=1e-5)
    # Two features hold no two classes of twelve; the dead layer was warned of before.
    joint = [text for text in said if "joint" in text]
    assert joint == ["layer 'narrow': its joint capacity is only an upper bound: too few dimensions for so many points"]


def test_rows_of_a_table_per_class_lead_back_to_the_data(measured):
    result, _, labels, said = measured
    table = result.to_dataframe(per="class")
    assert table["label"].tolist() == 4 * [3, 13, 23, 33]
    assert all(set(labels[rows]) == {label} for rows, label in zip(table["rows"], table["label"], strict=True))
    assert (table.loc[table["layer"] == "dead", "reason"] != "ok").all()
    assert (table.loc[table["layer"] == "late", "reason"] == "ok").all()
    assert any("layer 'dead', classes 3, 13, 23, 33: " in text for text in said)
    with pytest.raises(ValueError, match="expected per to be layer or class, got 'row'"):
        result.to_dataframe(per="row")


def test_a_rare_class_is_a_point_and_the_others_are_not():
    layers, labels = activations((1, 12, 8, 8))
    with pytest.warns(UserWarning, match="class 0: a single example, so no radius and no dimension"):
        result = analyze(layers, labels, joint_draws=0, **OPTIONS)
    assert result.geometry["early"].rank.tolist() == [0, 11, 7, 7]
    assert result.joint is None
    assert "joint_class_capacity" not in result.to_dataframe(per="class")
    assert "joint_capacity" not in result.summary()
    assert result.to_dataframe()["joint_capacity"].isna().all()


@pytest.fixture
def chosen(monkeypatch):
    """Stands in for the geometry; holds the points that it was given."""
    given = {}
    monkeypatch.setattr(
        measure,
        "layer_geometry",
        lambda points, **_: given.update(points) or object.__new__(geometry.ManifoldGeometry),
    )
    return given


def test_how_many_examples_are_taken(chosen):
    layers, labels = activations()
    take = lambda of=layers, own=labels, **options: analyze(of, own, joint_draws=0, **options)
    cut = take(unequal="subsample")
    assert cut.taken.startswith("5 of the 5 to 12 examples of each of 4 classes; examples_per_class")
    assert [len(rows) for rows in chosen["late"]] == [5, 5, 5, 5]
    same = take(examples_per_class=5)
    assert all((own == other).all() for own, other in zip(cut.indices.values(), same.indices.values(), strict=True))
    assert take(max_classes=2).taken.endswith("2 of 4 classes")
    many = activations((60, 80))
    assert take(*many).taken.startswith("50 of the 60 to 80 examples of each of 2 classes; examples_per_class takes")
    assert [len(rows) for rows in take(*many, examples_per_class=55).indices.values()] == [55, 55]
    assert take(layers["early"]).layers == ("activations",)
    with pytest.warns(UserWarning, match="every class has a single example"):
        take(own=np.arange(len(labels)))
    with pytest.warns(UserWarning, match="every class is measured on a single example: there are no manifolds"):
        take(examples_per_class=1)
    with pytest.raises(ValueError, match="at least 6 examples in every class, got 5 in class 7; lower examples_per_c"):
        take(own=np.where(labels, labels + 9, 7), examples_per_class=6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, y: (a, y[:-1]), r"expected activations \[31, ...\] for layer 'early', got \(32, 20\)"),
        (lambda a, y: (a, y.astype(float)), "expected integer labels"),
        (lambda a, y: (a, 0 * y), r"expected labels of at least 2 classes, got \[0\]"),
        (lambda a, y: ({"early": a["early"] * np.nan}, y), "expected finite points of layer 'early'"),
        (lambda a, y: ({"early": (a["early"], 1)}, y), "expected one array for layer 'early', got a tuple of 2"),
    ],
)
def test_bad_input_is_named(change, message, chosen):
    with pytest.raises(ValueError, match=message):
        analyze(*change(*activations()))
    assert not chosen
    with pytest.raises(ValueError, match="expected unequal to be one of mask, subsample, got 'cut'"):
        analyze(*activations(), unequal="cut")


def test_a_bad_row_is_named_as_the_caller_numbers_it():
    layers, labels = activations()
    layers["late"][15, 2, 1] = -np.inf
    with pytest.raises(ValueError, match=r"in row 15 of layer 'late', in 1 of 32 rows"):
        analyze(layers, labels[::-1])


def test_it_needs_nothing_that_only_unix_has():
    code = "import sys; sys.modules['fcntl'] = None; from memorize_jax import analyze; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "memorize_jax.own_activations.analyze" in loaded
    assert not [name for name in loaded if name.startswith(("memorize_jax.runs", "memorize_jax.storage.lock"))]
    assert "matplotlib" not in loaded


@pytest.mark.filterwarnings("ignore:layer '")
def test_the_same_shapes_are_not_compiled_again(measured, caplog):
    _, layers, labels, _ = measured
    with jax.log_compiles():
        analyze(layers, np.array([*"abcd"])[labels // 10], seed=1, joint_draws=60, **OPTIONS)
    assert not [record for record in caplog.records if "XLA compilation" in record.getMessage()]
