"""A study may lack any of its tables: those of docs/results do, and so does one that is measured in parts."""

import pytest

from memorize_jax.claims.sheet import evaluate
from memorize_jax.measurements.registry import open_study, statements
from memorize_jax.report.drawn import Picture, parts, views
from tests.commands import ROOT

FOLDER = ROOT / "docs" / "results"


@pytest.fixture(scope="module")
def whole(smoke_run):
    return open_study(smoke_run)


def written(study):
    """The words, figures and tables of a report, of figures that are not drawn."""
    found, rest = parts(study, evaluate(study, statements()), lambda figure, study: Picture("", False))
    return found, rest, views(study)


def test_a_study_without_any_one_table_has_a_report(whole):
    for name in set(whole.tables) - {"metrics"}:
        others = {other: table for other, table in whole.tables.items() if other != name}
        _, _, shown = written(whole._replace(tables=others))
        assert name not in {view.name for view in shown}


def test_a_study_with_one_table_has_a_report(whole):
    for name in set(whole.tables) - {"metrics"}:
        own = {other: whole.tables[other] for other in ("metrics", name)}
        _, _, shown = written(whole._replace(tables=own))
        assert {view.name for view in shown} >= {name}


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir() if path.is_dir()))
def test_a_committed_study_has_a_report(name):
    study = open_study(FOLDER / name)
    _, _, shown = written(study)
    assert shown
