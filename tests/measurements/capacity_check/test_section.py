"""The table of simulated capacity in the report: what is only a bound is written as one."""

import pandas as pd
import pytest

from memorize_jax.measurements.capacity_check.section import SECTION
from tests.figures.invented import RUN, THREE, capacity_check, changed

make = SECTION.views["capacity_check"][1]
SPACE = "\N{NO-BREAK SPACE}"


def cells(study, table, layer):
    view = make(changed(study, capacity_check=table))
    titles = [head.title for head in view.headers]
    own = [row for row in view.rows if [cell.text for cell in row[:3]] == ["2", "test", layer]]
    return {name: row[titles.index(name)].text for row in own for name in ("joint", "simulated")}


@pytest.mark.parametrize(("bound", "sign"), [(-1, "≤"), (1, "≥")])
def test_what_the_simulation_bounds_has_a_sign_whichever_seed_it_is_of(bound, sign):
    """Epoch 2 is measured in all seeds only of a table that is alike in them."""
    one = capacity_check()
    table = pd.concat([one.assign(seed=seed) for seed in THREE.seeds], ignore_index=True)
    table.loc[(table["seed"] == 1) & (table["layer"] == "linear3"), "bound"] = bound
    mean = one.query("epoch == 2 and group == 'test' and layer == 'linear3'")["simulated_capacity"].item()
    assert cells(THREE, table, "linear3")["simulated"] == f"{sign}{SPACE}{mean:.4f}"
    assert "±" in cells(THREE, table, "linear2")["simulated"]
    assert "±" in cells(THREE, table, "linear3")["joint"]


def test_joint_capacity_that_is_only_a_bound_has_a_sign():
    table = capacity_check()
    table = table.assign(joint_status=128 * (table["layer"] == "linear3"), bound=0)
    found = cells(RUN, table, "linear3")
    assert (found["joint"][0], found["simulated"][0]) == ("≤", "0")
    assert cells(RUN, table, "linear2")["joint"][0] == "0"
