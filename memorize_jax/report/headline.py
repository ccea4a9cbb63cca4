"""What happened, in one sentence, for somebody who does not know the paper."""

import pandas as pd

from memorize_jax.claims.evidence import LEARNED, not_memorized
from memorize_jax.claims.manifolds import NEAR_BOUND
from memorize_jax.figures.bound import lower_bound
from memorize_jax.figures.joint import is_bound
from memorize_jax.studies.accuracies import Story, story
from memorize_jax.studies.study import Study


def headline(study: Study) -> str:
    """One sentence on a study of runs that differ in their seed alone, and another where training has not ended."""
    going_on = [seed for _, seed in study.unfinished]
    whose = f" of seed {', '.join(map(str, going_on))}" if len(study.seeds) > 1 else ""
    return f"{_happened(study)} Training{whose} has not ended." if going_on else _happened(study)


def _happened(study):
    found, share = story(study), study.permuted_fraction
    many = len(study.seeds) > 1
    who = f"these {len(study.seeds)} networks" if many else "this network"
    end, last, tested = found.end, _epoch(found.final), _tested(found, "their" if many else "its")
    if not share > 0:
        return f"Trained on {study.dataset} with the labels as they are, {who} went on to epoch {last}{tested}."
    shuffled = f"Trained on {study.dataset} with {_share(share)} of the labels shuffled, {who}"
    # Unknown of one seed, the mean is.
    if end["permuted"] != end["permuted"]:
        return f"{shuffled} went on to epoch {last}{tested}."
    is_memorized = not not_memorized(end["permuted"], end["restored"], who)
    by_heart = f"memorized {_percent(end['permuted'])} of the shuffled labels by epoch {last}"
    # Some examples carry the label they were given by chance.
    given = f"gave {_percent(end['permuted'])} of them the label they were assigned at epoch {last}"
    if share == 1:
        return f"{shuffled} {by_heart if is_memorized else given}{tested}."
    true = f"{_percent(found.peak['restored'])} of the examples with shuffled labels"
    if found.peak["restored"] - found.start["restored"] < LEARNED:
        little = f"at most {true} had their true label at any epoch"
        where = f", {place}" if is_memorized and (place := _where(study)) else ""
        return f"{shuffled} {by_heart if is_memorized else given}{where}{tested}; {little}."
    understood = f"first learned what is true, giving {true} their true label"
    if not is_memorized:
        return f"{shuffled} {understood}, and {given}{tested}."
    where = f", {place}" if (place := _where(study)) else ""
    return f"{shuffled} {understood}, and then {by_heart}{where}{tested}."


def _tested(found: Story, whose: str) -> str:
    peak, end = found.peak["test"], found.end["test"]
    if peak != peak:
        return ""
    if peak - end < 0.01:
        return f", with {_percent(end)} of new examples right"
    fall = f"fell from {_percent(peak)} (epoch {_epoch(found.best)}) to {_percent(end)}"
    return f", while {whose} accuracy on new examples {fall}"


def _where(study: Study) -> str:
    """In which layers permuted examples have become separable at the end, by joint capacity if it tells."""
    if "geometry" not in study.tables:
        return ""
    rows = study.at_stage("geometry", "final")
    rows = rows[(rows["group"] == "permuted") & rows["layer"].isin(study.layers[:-1])]
    if rows.empty or lower_bound(rows) is None:
        return ""
    never = pd.Series(False, index=rows.index)
    return _most(rows, "joint_capacity", is_bound(rows)) or _most(rows, "capacity", never)


def _most(rows, column, bounds):
    """The same by one capacity, which is at most what `bounds` says is a bound; "" where it does not tell."""
    if rows[column].isna().any():
        return ""
    known = pd.DataFrame({"multiple": rows[column] * rows["examples_per_class"] / 2, "is_bound": bounds})
    layers = known.groupby([rows["layer_number"], rows["layer"]]).agg({"multiple": "mean", "is_bound": "any"})
    values, bounded = (layers[name].to_numpy() for name in layers)
    if values.max() < NEAR_BOUND:
        return "though in no hidden layer have they become easy to separate"
    place = int(values.argmax())
    if bounded[place]:
        return ""
    top = layers.index.get_level_values("layer")[place]
    is_deeper_more = len(values) > 2 and (values[1:] >= values[:-1]).all() and not bounded.any()
    return f"the more the deeper the layer, most in {top}" if is_deeper_more else f"most in {top}"


def _percent(value: float) -> str:
    return f"{100 * value:.0f}\N{NO-BREAK SPACE}%"


def _share(value: float) -> str:
    return {0.5: "half", 1.0: "all"}.get(value, _percent(value))


def _epoch(epochs: list[int]) -> str:
    low, high = min(epochs), max(epochs)
    return str(low) if low == high else f"{low} to {high}"
