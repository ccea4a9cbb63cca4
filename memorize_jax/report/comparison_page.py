"""The page of several studies side by side: networks, fractions, seeds."""

import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from memorize_jax.claims.statement import Claim
from memorize_jax.figures.figure import missing
from memorize_jax.measurements.registry import figures
from memorize_jax.pages.page import csv_address, embedded, render
from memorize_jax.pages.views import Number, View, make_view
from memorize_jax.report.study_page import UNDECIDED, count
from memorize_jax.studies.accuracies import accuracies
from memorize_jax.studies.study import Study

# What the paper's argument stands on: training, geometry, rewinding, gradients.
MAIN = ("fig2a", "fig3a", "fig3b", "fig4b", "fig5d", "fig5f", "map_joint_capacity", "map_capacity")


class Compared(NamedTuple):
    """One of several studies.

    Attributes:
      name: that tells it from the others.
      study: the tables.
      claims: judged on them.
      settings: name -> value.
    """

    name: str
    study: Study
    claims: Sequence[Claim]
    settings: Mapping[str, str]


class Row(NamedTuple):
    """A row of things side by side.

    Attributes:
      title: of the row.
      cells: one for each study; None where a study has none.
    """

    title: str
    cells: list


def differing(compared: Sequence[Compared]) -> list[Row]:
    """The settings that are not the same in all studies."""
    names = dict.fromkeys(name for one in compared for name in one.settings)
    rows = [Row(name, [one.settings.get(name) for one in compared]) for name in names]
    return [row for row in rows if len(set(row.cells)) > 1]


def claims_matrix(compared: Sequence[Compared]) -> list[Row]:
    """Every claim with each study's verdict and value."""
    found = [{claim.claim: claim for claim in one.claims} for one in compared]
    statements = {name: claim.statement for own in found for name, claim in own.items()}
    return [Row(statement, [own.get(name) for own in found]) for name, statement in statements.items()]


def accuracy_view(compared: Sequence[Compared]) -> View | None:
    """Accuracies of every run or ensemble at its best and its final epoch; None where there is none."""
    parts = []
    for one in compared:
        if not one.study.axes:
            wide = accuracies(one.study).pivot(index="seed", columns="group", values=["best", "peak", "final"])
            wide.columns = [f"{group}_{moment}" for moment, group in wide.columns]
            parts.append(wide.reset_index().assign(name=one.name))
    if not parts:
        return None
    numbers = {
        "test_best": Number("test, best epoch", "percent"),
        "test_final": Number("test, final", "percent"),
        "train_final": Number("training, final", "percent"),
        "restored_peak": Number("restored, highest", "percent"),
        "restored_final": Number("restored, final", "percent"),
        "permuted_final": Number("permuted, final", "percent"),
    }
    rows = pd.concat(parts, ignore_index=True)
    return make_view("accuracies", "Accuracies", rows, {"name": "study"}, numbers)


def comparison_page(compared: Sequence[Compared]) -> str:
    """Makes the page.

    Args:
      compared: the studies, in the order of the columns.

    Returns:
      HTML.
    """
    rows = claims_matrix(compared)
    decided = [row for row in rows if any(claim and claim.verdict != UNDECIDED for claim in row.cells)]
    flat = [{"study": one.name, **claim._asdict()} for one in compared for claim in one.claims]
    return render(
        "comparison.html.j2",
        title=", ".join(one.name for one in compared),
        compared=compared,
        counts=[count(one.claims) for one in compared],
        differing=differing(compared),
        matrix=decided,
        undecided=[row.title for row in rows if row not in decided],
        claims_csv=csv_address(pd.DataFrame(flat)),
        num_claims=len(flat),
        accuracies=accuracy_view(compared),
        figures=_figures(compared),
    )


def _figures(compared):
    """The main figures, drawn into a folder that goes again: a study's own folder is left as it is."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for figure in (figures()[name] for name in MAIN):
            cells = []
            for number, one in enumerate(compared):
                path = pathlib.Path(folder) / f"{figure.name}_{number}.svg"
                there = not missing(figure, one.study)
                cells.append(embedded(figure.draw(one.study, path)) if there else None)
            if any(cells):
                rows.append((figure, cells))
    return rows
