"""What a page carries of the moving picture: data for its scripts, and what it shows, in words."""

import json

import pytest

from memorize_jax.explorer.chart import choices, datasets
from memorize_jax.explorer.explored import explored
from memorize_jax.explorer.payload import finding, payload
from tests.figures.invented import RUN, bounds, changed, study


def test_a_page_carries_what_was_found_as_valid_json():
    found = explored(study(seeds=(0, 1)))
    content = json.loads(payload(found))
    assert [layout["width"] for layout in content["layouts"]] == sorted(
        (layout["width"] for layout in content["layouts"]), reverse=True
    )
    assert content["epochs"] == found.epochs
    assert content["errors"] == found.errors
    assert content["datasets"] == datasets(found)
    assert len(content["datasets"]["places"]) == len(found.places)
    params = {param["name"]: param for param in content["layouts"][0]["spec"]["params"]}
    assert params["run"]["value"] == "mean of 2 seeds"
    assert all("bind" not in param for param in params.values())
    assert set(choices(found)) <= set(params)


def test_the_finding_names_the_layer_with_most():
    base = study()
    table = base.tables["geometry"].copy()
    top = (table["layer"] == "linear3") & (table["epoch"] == 16) & (table["group"] == "permuted")
    table.loc[top, "joint_capacity"] = 0.2
    assert "At epoch 16 linear3 has most, 5, and" in finding(explored(changed(base, geometry=table)))


@pytest.mark.parametrize(
    ("bounded", "said"),
    [
        ((), "At epoch 16 linear4 has most, 5, and input least, 1; at epoch 0 no layer had more than 1."),
        (
            ("linear4",),
            "At epoch 16, of the layers whose value is known, linear5 has most, 2, and input least, 1; "
            "linear4 has at most 5; at epoch 0 no layer had more than 1.",
        ),
        (
            ("linear1", "linear2", "linear3", "linear4", "linear5"),
            "At epoch 16 input has 1; linear1 has at most 1; linear2 has at most 1; linear3 has at most 1; "
            "linear4 has at most 5; linear5 has at most 2; at epoch 0 no layer had more than 1.",
        ),
    ],
)
def test_an_upper_bound_is_not_said_to_be_most(bounded, said):
    table = bounds(RUN.tables["geometry"], layer=("linear6", *bounded), epoch=16)
    values = table["layer"].map({"linear4": 5.0, "linear5": 2.0}).fillna(1).where(table["epoch"] == 16, 1.0)
    assert finding(explored(changed(RUN, geometry=table.assign(joint_capacity=0.04 * values)))).endswith(said)


def test_a_finding_of_one_epoch_has_nothing_before_it():
    table = RUN.tables["geometry"]
    assert "no layer had" not in finding(explored(changed(RUN, geometry=table[table["epoch"] == 16])))
