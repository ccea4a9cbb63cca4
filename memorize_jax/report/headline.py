"""What happened, in one sentence, for somebody who does not know the paper."""

from memorize_jax.claims.manifolds import NEAR_BOUND
from memorize_jax.claims.evidence import MEMORIZED
from memorize_jax.explorer.explored import Explored
from memorize_jax.studies.accuracies import Story, story
from memorize_jax.studies.study import Study


def headline(study: Study, explored: Explored | None) -> str:
    """One sentence on a study of runs that differ in their seed alone."""
    found = story(study)
    several = len(study.seeds) > 1
    who, its = (f"these {len(study.seeds)} networks", "their") if several else ("this network", "its")
    end, peak, last = found.end, found.peak, _epoch(found.final)
    tested = _tested(found, its)
    share = study.permuted_fraction
    if not share > 0 or end["permuted"] != end["permuted"]:
        return f"Trained on {study.dataset} with the labels as they are, {who} ended{tested}."
    shuffled = f"Trained on {study.dataset} with {_share(share)} of the labels shuffled, {who}"
    if peak["restored"] != peak["restored"] or share == 1:
        return (
            f"{shuffled} learned {_percent(end['permuted'])} of the shuffled labels by heart by epoch {last}{tested}."
        )
    understood = (
        f"first learned what is true, giving {_percent(peak['restored'])} of the examples with shuffled labels "
        f"{'their' if not several else 'their'} true label"
    )
    if end["permuted"] < MEMORIZED:
        return f"{shuffled} {understood}, and had memorized {_percent(end['permuted'])} of the shuffled labels at epoch {last}{tested}."
    where = f", {place}" if (place := _where(study, explored)) else ""
    memorized = f"then memorized {_percent(end['permuted'])} of the shuffled labels by epoch {last}{where}"
    return f"{shuffled} {understood}, and {memorized}{tested}."


def _tested(found: Story, its: str) -> str:
    peak, end = found.peak["test"], found.end["test"]
    if peak != peak:
        return ""
    if peak - end < 0.01:
        return f", with {_percent(end)} of new examples right"
    return f", while {its} accuracy on new examples fell from {_percent(peak)} (epoch {_epoch(found.best)}) to {_percent(end)}"


def _where(study: Study, explored: Explored | None) -> str:
    """In which layers permuted examples have become separable, by the first capacity that was measured."""
    if explored is None:
        return ""
    measure = next(iter(explored.measures))
    rows = explored.places[(explored.places["run"] == explored.runs[0]) & (explored.places["group"] == "permuted")]
    rows = rows[rows[measure].notna()] if measure in ("joint", "mean_field") else rows.iloc[:0]
    if rows.empty or "2/M" not in explored.measures[measure]:
        return ""
    last = rows[rows["epoch"] == rows["epoch"].max()].sort_values("layer_number")
    values = last[measure].to_numpy()
    top = last["layer"].iloc[int(values.argmax())]
    if values.max() < NEAR_BOUND:
        return "though in no hidden layer have they become easy to separate"
    if len(values) > 2 and (values[1:] >= values[:-1]).all():
        return f"the more the deeper the layer, most in {top}"
    reached = last["layer"][values >= NEAR_BOUND].tolist()
    return f"most in {top}" + (f" (seen in {', '.join(reached)})" if 1 < len(reached) < len(values) else "")


def _percent(value: float) -> str:
    return f"{100 * value:.0f}\N{NO-BREAK SPACE}%"


def _share(value: float) -> str:
    return {0.5: "half", 1.0: "all"}.get(value, _percent(value))


def _epoch(epochs: list[int]) -> str:
    low, high = min(epochs), max(epochs)
    return str(low) if low == high else f"{low} to {high}"
