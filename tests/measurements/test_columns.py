"""Every column of every table says what it means, once."""

import collections
import re

import pandas as pd
import pytest

from memorize_jax.commands.report import BY, geometry_over_seeds
from memorize_jax.config import RunConfig
from memorize_jax.figures.joint import LABELS
from memorize_jax.measurements import registry
from memorize_jax.measurements.columns import COMMON
from memorize_jax.report.other_tables import OTHER_TABLES
from memorize_jax.studies.index import write_runs
from memorize_jax.studies.plan import StudyPlan

MEASURED = {name: table for name, (table, _) in registry.tables().items()}
TABLES = {**MEASURED, **OTHER_TABLES}
SHARED = {column: meaning for meanings in COMMON.values() for column, meaning in meanings.items()}
MEANINGS = [(column, meaning) for table in TABLES.values() for column, meaning in table.meanings.items()]
each = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


@each
def test_every_column_has_a_meaning(table):
    assert [column for column in table.columns if not (SHARED | table.meanings).get(column, "").strip()] == []


@each
def test_no_meaning_is_of_a_column_that_is_not_there(table):
    assert set(table.meanings) <= set(table.columns)


def test_what_is_explained_as_common_is_so():
    assert sum(map(len, COMMON.values())) == len(SHARED)
    relying = collections.Counter(
        column for table in MEASURED.values() for column in table.columns if column not in table.meanings
    )
    assert {column: relying[column] for column in SHARED if relying[column] < 2} == {}


@pytest.mark.parametrize(("column", "meaning"), [*SHARED.items(), *MEANINGS])
def test_a_meaning_says_something_that_fits_into_a_cell(column, meaning):
    assert meaning.strip() == meaning != column
    assert not re.search(r"\bsee\b|[|\n<]|  |\.$", meaning, re.IGNORECASE)


def test_the_other_tables_have_the_columns_that_they_are_written_with(tmp_path):
    rows = pd.DataFrame([{"seed": 0, "joint_status": 0, **dict.fromkeys(LABELS, 1.0), **dict.fromkeys(BY, "")}])
    assert tuple(geometry_over_seeds(rows).columns) == OTHER_TABLES["results/over_seeds"].columns
    table = write_runs(tmp_path, StudyPlan(RunConfig(), [{"width": 4}]), lambda run: False)
    run, axis, *others = table.columns
    assert (axis, (run, *others)) == ("width", OTHER_TABLES["runs"].columns)
