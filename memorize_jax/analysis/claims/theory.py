"""Figure 1B: capacity by mean-field theory against the simulated one."""

from memorize_jax.analysis.claims.evidence import Evidence, NotTestable
from memorize_jax.analysis.claims.statement import NOTICEABLE, Statement, Threshold


def _relative_error(evidence: Evidence) -> float:
    check = evidence.tables["capacity_check"]
    # Where the simulated capacity is only a bound there is nothing to agree with.
    check = check[check["bound"] == 0].dropna(subset=["mean_field_capacity", "simulated_capacity"])
    if check.empty:
        raise NotTestable("no capacity could be simulated")
    return float((check["mean_field_capacity"] / check["simulated_capacity"] - 1).abs().median())


STATEMENTS = (
    Statement(
        "theory_matches_simulation",
        "1B",
        "The capacity of mean-field theory agrees with the one found by bisection on the number of features.",
        "relative difference of the two capacities, median over layers, groups and epochs",
        Threshold("<", NOTICEABLE),
        "a tenth: what this sheet takes for a difference anywhere",
        _relative_error,
        needs=("capacity_check",),
    ),
)
