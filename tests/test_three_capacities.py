import pandas as pd

from benchmarks import three_capacities
from benchmarks.comparison import Judged
from tests.figures import invented


def study(**changes):
    rows = [
        {"seed": 0, "epoch": epoch, "group": "test", "layer": layer, "capacity": 0.12, "joint_capacity": 0.1}
        | {"status": 0, "joint_status": 0, "num_classes": 100}
        | {"joint_classes": 10 + 5 * epoch}
        | changes.get(layer, {})
        for epoch in (1, 2)
        for layer in ("input", "linear1", "linear2", "linear3")
    ]
    check = [
        {**row, "simulated_capacity": 0.08, "bound": 0, "num_classes": 20} for row in rows if row["layer"] != "input"
    ]
    metrics = pd.DataFrame({"seed": 0, "epoch": [0, 1, 2], "test_accuracy": [0.1, 0.9, 0.5]})
    tables = {"metrics": metrics, "geometry": pd.DataFrame(rows), "capacity_check": pd.DataFrame(check)}
    return invented.RUN._replace(seeds=(0,), layers=("linear1", "linear2", "linear3"), tables=tables)


def test_places_are_the_input_and_thirds_of_the_hidden_layers():
    hidden = [f"linear{number}" for number in range(1, 6)]
    places = [three_capacities.place_of(layer, hidden) for layer in ("input", *hidden, "linear6")]
    assert places == ["input", "first third", "middle", "middle", "middle", "last third", None]
    assert [three_capacities.place_of(one, hidden[:2]) for one in hidden[:2]] == ["first third", "last third"]


def test_differences_are_those_of_what_is_no_bound():
    """Two hidden layers have no middle, and of the second the joint capacity is a bound."""
    bounded = study(linear2={"joint_status": 1}, linear1={"capacity": 0.1})
    found = three_capacities.differences(bounded).set_index("place").round(6)
    assert list(found.index) == list(three_capacities.PLACES)
    assert found["mean_field_median"].dropna().to_dict() == {"input": 0.2, "first third": 0.0}
    assert found["simulated_largest"].dropna().to_dict() == {"first third": 0.25}
    assert found["classes"].dropna().to_dict() == {"input": 100, "first third": 100}
    assert found["fewest_joint_classes"].dropna().to_dict() == {"input": 15, "first third": 15}
    assert found["most_joint_classes"].dropna().to_dict() == {"input": 20, "first third": 20}
    assert found["simulated_classes"].dropna().to_dict() == {"first third": 20}


def test_the_table_has_a_row_for_every_place_that_was_measured():
    lines = three_capacities.table([Judged("mine", study(), [])]).splitlines()
    assert lines[2:] == [
        "| [mine](#mine) | input | 100 | 15 to 20 | 20.0, 20.0 | – | – |",
        "| [mine](#mine) | first third | 100 | 15 to 20 | 20.0, 20.0 | 20 | 25.0, 25.0 |",
        "| [mine](#mine) | last third | 100 | 15 to 20 | 20.0, 20.0 | 20 | 25.0, 25.0 |",
    ]
