"""Which geometry judges a statement: joint capacity is what a hyperplane separates, mean-field is the paper's."""

from collections.abc import Sequence

import pandas as pd

from memorize_jax.claims.evidence import LACKS, Evidence
from memorize_jax.geometry.status import UPPER_BOUND, describe
from memorize_jax.studies.study import command

# Joint capacity falls back on simulated capacity, which agrees with it, where a table has none.
JOINT, MEAN_FIELD, SIMULATED = "joint", "mean-field", "simulated"
KINDS = (JOINT, MEAN_FIELD)
MEASURES = ("capacity", "radius", "dimension")
# Kind -> measure -> columns of its standard errors: of the draws, of the choice of examples.
ERRORS = {
    JOINT: {"capacity": ("joint_capacity_standard_error", "joint_capacity_example_sd")},
    MEAN_FIELD: {
        "capacity": ("capacity_standard_error", "capacity_example_sd"),
        "radius": ("radius_example_sd",),
        "dimension": ("dimension_example_sd",),
    },
    SIMULATED: {"capacity": ("simulated_standard_error",)},
}
EXAMPLES = "_example_sd"


def judging(by: str | None, evidence: Sequence[Evidence], needs: Sequence[str]) -> str | None:
    """What judges all seeds: the geometry asked for, or simulated capacity where a statement needs one without any."""
    if by == JOINT and "geometry" in needs:
        tables = [own.tables for own in evidence]
        has_joint = any(own["geometry"]["joint_capacity"].notna().any() for own in tables)
        if not has_joint and all("capacity_check" in own for own in tables):
            return SIMULATED
    return by


def seen_by(evidence: Evidence, kind: str) -> Evidence:
    """Evidence whose measures are those of one kind of geometry: joint, mean-field or simulated.

    In the geometry `capacity`, `radius` and `dimension` are the kind's, NaN where it has none; `capacity_error`,
    `radius_error` and `dimension_error` are standard errors, those of draws and of examples together; `with_examples`
    says whether the latter are in them; `lacks` says why a capacity is missing. In the capacity check, `capacity` is
    the theory's, and rows where that is only an upper bound are left out.
    """
    tables = dict(evidence.tables)
    if "geometry" in tables:
        tables["geometry"] = _geometry(evidence, kind)
    if "capacity_check" in tables:
        tables["capacity_check"] = _check(tables["capacity_check"], kind)
    return evidence._replace(tables=tables)


def _check(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    if kind != JOINT:
        return rows.assign(capacity=rows["mean_field_capacity"])
    is_bound = rows["joint_status"].fillna(0).astype(int) & UPPER_BOUND > 0
    return rows.assign(capacity=rows["joint_capacity"])[~is_bound]


def _geometry(evidence: Evidence, kind: str) -> pd.DataFrame:
    rows = evidence.tables["geometry"].assign(**{LACKS: ""})
    if kind == JOINT:
        status = rows["joint_status"].fillna(0).astype(int)
        unusable = rows["joint_capacity"].isna() | (status & UPPER_BOUND > 0)
        rows.loc[unusable, LACKS] = status[unusable].map(describe).where(status > 0, _again(rows, evidence))
        rows = rows.assign(**{measure: rows[f"joint_{measure}"].mask(unusable) for measure in MEASURES})
    elif kind == SIMULATED:
        rows = _simulated(rows, evidence)
    errors = {measure: ERRORS[kind].get(measure, ()) for measure in MEASURES}
    squares = {f"{measure}_error": (rows[list(own)] ** 2).sum(axis=1) ** 0.5 for measure, own in errors.items()}
    of_examples = [column for column in errors["capacity"] if column.endswith(EXAMPLES)]
    rows = rows.assign(**squares, with_examples=bool(of_examples) & rows[of_examples].notna().all(axis=1))
    # A copy has its columns in a few arrays again: rows are chosen from it many times.
    return rows.copy()


def _simulated(rows: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    """The geometry with the capacities of the check, which may have been made for fewer layers and groups."""
    check = evidence.tables["capacity_check"]
    key = [name for name in ("run", "epoch", "layer", "group") if name in rows]
    own = ["simulated_capacity", "simulated_standard_error", "bound", "examples_per_class"]
    rows = rows.drop(columns="examples_per_class").merge(check[[*key, *own]], on=key, how="left")
    found = rows["bound"] == 0
    rows.loc[~found, LACKS] = _again(rows, evidence)
    return rows.assign(capacity=rows["simulated_capacity"].where(found))


def _again(rows: pd.DataFrame, evidence: Evidence) -> pd.Series:
    """What to do about rows without joint capacity, which tables of the first version do not have."""
    runs = rows["run"] if "run" in rows else pd.Series("", index=rows.index)
    made_by = runs.map(lambda run: command("geometry", evidence.workdir / run))
    return "there is no joint capacity; measure the geometry again with: " + made_by


def num_components(evidence: Sequence[Evidence]) -> str:
    """How many shared directions of the centers mean-field theory removed: "K = 2 to 4", or "" if no table says so."""
    found = set()
    for own in evidence:
        for table in ("geometry", "double_descent"):
            rows = own.tables.get(table, {})
            if "num_center_components" in rows:
                hidden = rows["layer"].isin(own.hidden) if own.hidden else rows["layer"] != "input"
                found |= set(rows[hidden]["num_center_components"].dropna().astype(int))
    if not found:
        return ""
    low, high = min(found), max(found)
    return f"K = {low}" if low == high else f"K = {low} to {high}"
