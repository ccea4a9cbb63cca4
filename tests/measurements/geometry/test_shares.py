"""Shares of memorization by layer, against numbers by hand; what cannot be compared is left out by name."""

import re

import numpy as np
import pandas as pd
import pytest

from memorize_jax.figures.figure import missing
from memorize_jax.measurements.geometry.memorization_by_layer import FIGURES_OF_SHARES
from memorize_jax.measurements.geometry.shares import of_study, summary
from memorize_jax.report.catalog import caption
from memorize_jax.report.drawn import views
from memorize_jax.storage.tables import GEOMETRY
from tests.figures.invented import GRID, changed, grid

(FIGURE,) = FIGURES_OF_SHARES
LAYERS = ("linear1", "linear2", "linear3", "linear4")
# (Width, learning rate, seed) -> permuted capacity of the final network; 0.04 everywhere at the best epoch.
FINAL = {
    (8, 0.1, 0): (0.03, 0.05, 0.07, 0.9),
    (8, 0.1, 1): (0.04, 0.04, 0.06, 0.9),
    # No layer gains a tenth.
    (8, 0.2, 0): (0.043, 0.04, 0.04, 0.9),
    (8, 0.2, 1): (0.08, 0.04, 0.04, 0.9),
    (16, 0.1, 0): (0.06, 0.06, 0.06, 0.9),
    (16, 0.1, 1): (0.06, 0.06, 0.06, 0.9),
    # Does not fit.
    (16, 0.2, 0): (0.06, 0.06, 0.06, 0.9),
    (16, 0.2, 1): (0.06, 0.06, 0.06, 0.9),
}


def study(column="joint_capacity"):
    metrics, geometry = [], []
    for (width, rate, seed), final in FINAL.items():
        known = {"run": f"{width}_{rate}", "width": width, "learning_rate": rate, "seed": seed}
        known |= {"model": "mlp", "dataset": "digits", "permuted_fraction": 0.5}
        fitted = 0.4 if (width, rate) == (16, 0.2) else 1.0
        for epoch, test, permuted in ((0, 0.1, 0.1), (1 + seed, 0.8, 0.3), (5, 0.6, fitted)):
            accuracies = {"test": test, "permuted": permuted, "unpermuted": 1.0, "restored": 0.1, "train": 1.0}
            named = {f"{name}_accuracy": value for name, value in accuracies.items()}
            metrics.append(known | {"epoch": epoch, "loss": 1.0, "seconds": 1.0} | named)
        for epoch, capacities in ((1 + seed, (0.04,) * 4), (3, (0.5,) * 4), (5, final)):
            for number, capacity in enumerate(capacities, start=1):
                row = dict.fromkeys(GEOMETRY, 0.0) | known | {"epoch": epoch, "layer": f"linear{number}"}
                row |= {"layer_number": number, "group": "permuted", "joint_capacity": np.nan, "capacity": 0.3}
                geometry += [row | {column: capacity}, row | {"group": "test", column: 0.2}]
    tables = {"metrics": pd.DataFrame(metrics), "geometry": pd.DataFrame(geometry)}
    return GRID._replace(layers=LAYERS, seeds=(0, 1), tables=tables, axes=("width", "learning_rate"))


@pytest.mark.parametrize(("column", "kind"), [("joint_capacity", "joint"), ("capacity", "mean-field")])
def test_shares_are_those_by_hand(column, kind):
    found = of_study(study(column))
    assert found.kind == kind
    shares = {key: own["share"].tolist() for key, own in found.rows.groupby(["width", "learning_rate", "seed"])}
    expected = {
        (8, 0.1, 0): [0, 0.25, 0.75],
        (8, 0.1, 1): [0, 0, 1],
        **{(16, 0.1, seed): [1 / 3] * 3 for seed in (0, 1)},
    }
    assert shares == {key: pytest.approx(value) for key, value in expected.items()}
    assert [reason.split(":")[1][:25] for reason in found.left_out.values()] == [
        " in no layer permuted cap",
        " training ended before th",
    ]
    assert list(found.left_out) == [(8, 0.2), (16, 0.2)]


def test_the_table_has_means_and_the_lowest_and_highest_seed():
    table = summary(study())
    known = ["width", "learning_rate", "layer", "layer_number", "share", "low", "high", "num_seeds", "capacity"]
    assert list(table) == known
    last = table.query("width == 8 and layer == 'linear3'").iloc[0]
    assert tuple(last[["share", "low", "high", "num_seeds"]]) == pytest.approx((0.875, 0.75, 1, 2))


@pytest.mark.parametrize(("column", "kind"), [("joint_capacity", "joint"), ("capacity", "mean-field")])
def test_the_table_says_of_which_capacity_it_is(column, kind):
    assert set(summary(study(column))["capacity"]) == {kind}


def test_layers_have_the_numbers_of_the_geometry():
    """Layers 2 and 4 of AlexNet are pooling: the table of the paper numbers them too."""
    table = summary(grid({"learning_rate": (1e-4, 1e-3)}, model="alexnet")).drop_duplicates("layer")
    numbers = {"conv1": 1, "conv3": 3, "conv5": 5, "conv6": 6, "conv7": 7}
    assert dict(zip(table["layer"], table["layer_number"], strict=True)) == numbers


def test_the_figure_says_what_it_leaves_out_and_by_which_capacity():
    said = caption(FIGURE, study())
    left_out = "Not drawn: width 8, learning rate 0.2 (seed 0: in no layer permuted capacity rose by a tenth from"
    assert left_out in said
    assert "width 16, learning rate 0.2 (seed 0: training ended before the network memorized: 40% of" in said
    assert "mean-field" not in said
    assert "The capacity is that of mean-field theory, for no run has joint capacity." in caption(
        FIGURE, study("capacity")
    )


def test_a_field_that_goes_with_another_draws_no_lines_of_its_own(tmp_path):
    """Runs that were listed, not combined: the rate is twice the width, and no line is drawn for it."""
    together = study()
    tables = {name: table.query("learning_rate == 0.1") for name, table in together.tables.items()}
    tables = {name: table.assign(learning_rate=table["width"] / 80) for name, table in tables.items()}
    together = together._replace(tables=tables)
    assert "The learning rate goes with the width." in caption(FIGURE, together)
    assert "goes with" not in caption(FIGURE, study())
    picture = FIGURE.draw(together, tmp_path / "shares.svg").read_text(encoding="utf-8")
    assert "width 16" in picture
    assert "learning rate" not in picture


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unfinished": (("16_0.1", 1),)}, "seed 1: training has not ended"),
        ({"run": "16_0.1"}, "seed 0: there is no geometry; make it with: .* --workdir=/made/up/16_0.1"),
        ({"bound": 128}, "seed 0: permuted manifolds at linear1: "),
    ],
)
def test_a_combination_without_numbers_is_left_out_with_the_reason(change, message):
    base = study()
    geometry = base.tables["geometry"]
    is_16 = geometry["run"] == "16_0.1"
    if "unfinished" in change:
        base = base._replace(unfinished=change["unfinished"])
    elif "run" in change:
        base = changed(base, geometry=geometry[~is_16])
    else:
        at_first = is_16 & (geometry["layer"] == "linear1")
        base = changed(base, geometry=geometry.assign(joint_status=np.where(at_first, change["bound"], 0)))
    found = of_study(base)
    assert re.match(message, found.left_out[16, 0.1])
    assert set(found.rows["width"]) == {8}
    assert missing(FIGURE, base) == ""


def test_the_report_has_the_table_and_the_geometry_of_each_run_at_its_own_epochs():
    shown = {view.name: view for view in views(study())}
    shares = shown["memorization_by_layer"]
    assert [header.title for header in shares.headers][:3] == ["width", "learning rate", "layer"]
    assert len(shares.whole) == 6
    assert [cell.text for cell in shares.rows[2]][:3] == ["8", "0.1", "linear3"]
    # 4 runs, 2 epochs, 2 groups, 4 layers; nothing of epoch 3.
    rows = shown["geometry"].rows
    assert len(rows) == 4 * 2 * 2 * 4
    assert "0.5000" not in {cell.text for row in rows for cell in row}
