"""The page of several studies side by side: networks, fractions, seeds."""

import pathlib
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from memorize_jax.claims.statement import NOT_TESTABLE, Claim
from memorize_jax.explorer.explored import explored
from memorize_jax.explorer.together import together
from memorize_jax.figures.figure import missing
from memorize_jax.measurements.registry import figures
from memorize_jax.pages.page import embedded, packed_csv, render
from memorize_jax.pages.views import Number, View, make_view
from memorize_jax.report.claims_shown import count
from memorize_jax.report.moving import TABLES, moving_picture
from memorize_jax.report.study_page import settings
from memorize_jax.runs.notes import other_settings
from memorize_jax.studies.accuracies import accuracies
from memorize_jax.studies.study import Study

# What the paper's argument stands on: training, geometry, rewinding, gradients.
MAIN = ("fig2a", "fig3a", "fig3b", "fig4b", "fig5d", "fig5f", "map_joint_capacity", "map_capacity")


class Compared(NamedTuple):
    """One of several studies, the name that tells it from the others, and what was judged on it."""

    name: str
    study: Study
    claims: Sequence[Claim]


class Cell(NamedTuple):
    """A figure of one of several studies: the address of its image, and what its caption adds for that study."""

    address: str
    remark: str


class Row(NamedTuple):
    """Things side by side: one for each study, None where it has none."""

    title: str
    cells: list


def differing(compared: Sequence[Compared]) -> list[Row]:
    """The settings that are not the same in all studies."""
    found = [settings(one.study) for one in compared]
    names = dict.fromkeys(name for own in found for name in own)
    rows = [Row(name, [own.get(name) for own in found]) for name in names]
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
        "test_best": "test, best epoch",
        "test_final": "test, final",
        "train_final": "training, final",
        "restored_peak": "restored, highest",
        "restored_final": "restored, final",
        "permuted_final": "permuted, final",
    }
    columns = {name: Number(title, "percent") for name, title in numbers.items()}
    return make_view("accuracies", "Accuracies", pd.concat(parts, ignore_index=True), {"name": "study"}, columns)


def other_geometry(compared: Sequence[Compared]) -> str:
    """Why the geometry of studies cannot be compared, which one measured with other settings; "" if it can."""
    noted = {one.name: own for one in compared for own in one.study.settings.get("geometry", {}).values()}
    first, *others = noted or [""]
    for name in others:
        if different := other_settings(noted[name], noted[first]):
            return f"the geometry of {name} was measured with other settings than that of {first}: {different}"
    return ""


def comparison_page(compared: Sequence[Compared]) -> str:
    """Makes the page, as HTML, with the studies in the order of the columns."""
    rows = claims_matrix(compared)
    decided = [row for row in rows if any(claim and claim.verdict != NOT_TESTABLE for claim in row.cells)]
    flat = pd.DataFrame([{"study": one.name, **claim._asdict()} for one in compared for claim in one.claims])
    found, otherwise_measured = accuracy_view(compared), other_geometry(compared)
    pictures = {one.name: explored(one.study) for one in compared}
    seen = None if otherwise_measured else together({name: own for name, own in pictures.items() if own})
    whole = {"claims": flat, **_tables(compared), **({found.name: found.whole} if found else {})}
    return render(
        "comparison.html.j2",
        title=", ".join(one.name for one in compared),
        compared=compared,
        counts=[count(one.claims) for one in compared],
        differing=differing(compared),
        matrix=decided,
        not_testable=[row.title for row in rows if row not in decided],
        packed={name: packed_csv(table) for name, table in whole.items()},
        num_claims=len(flat),
        accuracies=found,
        moving=moving_picture(seen, whole) if seen else None,
        otherwise_measured=otherwise_measured,
        figures=_figures(compared),
    )


def _tables(compared):
    """The tables of the main figures and of the moving picture, of all studies that have them."""
    names = dict.fromkeys([*TABLES, *(table for figure in MAIN for table in figures()[figure].needs)])
    parts = {
        name: [one.study.tables[name].assign(study=one.name) for one in compared if name in one.study.tables]
        for name in names
    }
    return {name: pd.concat(own, ignore_index=True) for name, own in parts.items() if own}


def _figures(compared):
    """The main figures, drawn into a temporary folder: a study's own folder is left as it is."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "figure.svg"
        for figure in (figures()[name] for name in MAIN):
            can_be = [not missing(figure, one.study) for one in compared]
            if any(can_be):
                cells = zip(can_be, compared, strict=True)
                rows.append((figure, [_cell(figure, one.study, path) if can else None for can, one in cells]))
    return rows


def _cell(figure, study, path):
    return Cell(embedded(figure.draw(study, path)), figure.remark(study))
