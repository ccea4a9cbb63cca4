"""Figure 1B: capacity by theory against the simulated one."""

from memorize_jax.claims.evidence import NotTestable
from memorize_jax.claims.geometries import JOINT
from memorize_jax.claims.statement import NOTICEABLE, Statement, below, stating
from memorize_jax.studies.study import command

STATEMENTS: list[Statement] = []
stated = stating(STATEMENTS, needs=("capacity_check",))


@stated(
    "1B",
    "The capacity of theory agrees with the one found by bisection on the number of features.",
    "relative difference of the two capacities, median over layers, groups and epochs",
    below(NOTICEABLE, "a tenth: what this sheet takes for a difference anywhere"),
    by=JOINT,
    every_seed=True,
    checks_method=True,
)
def _theory_matches_simulation(evidence):
    check = evidence.tables["capacity_check"]
    # Training leaves the input as it is: at a second epoch it is the same measurement.
    key = [name for name in ("run", "layer", "group") if name in check]
    check = check[(check["layer"] != "input") | ~check.duplicated(key)]
    # Where a capacity is only a bound there is nothing to agree with.
    check = check[check["bound"] == 0].dropna(subset="simulated_capacity")
    if check.empty:
        raise NotTestable("no capacity was simulated, or those that were are only bounds")
    if (lacking := check[check["capacity"].isna()]).any(axis=None):
        made_by = command("capacity_check", evidence.folder)
        where = "" if len(lacking) == len(check) else f" at {', '.join(lacking['layer'].unique())}"
        raise NotTestable(f"no joint capacity beside the simulated one{where}; make the table again with: {made_by}")
    return float((check["capacity"] / check["simulated_capacity"] - 1).abs().median())
