"""What the claims on gradients read in their table: rows of one form, epochs near initialization, ratios."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from memorize_jax.claims.evidence import Evidence, NotTestable
from memorize_jax.measurements.gradients.ratios import Part, is_weighted, ratio_range
from memorize_jax.studies.study import command

# The paper defines the parts by equation 15 and, in the main text, by equation 2, which is 16.
FORMS = {"eq15": "equation 15", "eq16": "equation 16"}
# Training has left its start once test accuracy is so many times what chance gives.
TIMES_CHANCE = 2
# With fewer permuted examples of a class the label-dependent part of random labels is not averaged out: its squared
# norm falls with their number (equation 23).
FEWEST_PERMUTED = 100
# Classes of the data sets that come by name, for tables of the first version, which do not say.
CLASSES = {
    **dict.fromkeys(("cifar10", "digits", "mnist", "fashion_mnist", "fashion_mnist_14", "fashion_mnist_32"), 10),
    **{"spheres_small": 20, "cifar100": 100, "spheres": 100, "tiny_imagenet": 200},
}


def rows_of(evidence: Evidence, form: str = "eq15") -> pd.DataFrame:
    """The parts by one of `FORMS`; raises NotTestable if there are none, or if groups have their sizes as a factor."""
    table = evidence.tables["gradients"]
    if is_weighted(table):
        # Shares would put the ratio of the groups' sizes into the ratio of their gradients.
        raise NotTestable("groups were weighted by their shares; measure with --gradient_weighting=subset")
    if (rows := table[table["form"] == form]).empty:
        raise NotTestable(f"no parts by {FORMS[form]} were measured; {measure_again(evidence)}")
    return rows


def measure_again(evidence: Evidence) -> str:
    """What to do where a table of the first version lacks something."""
    return f"measure the gradients again with: {command('gradients', evidence.folder)}"


def _num_classes(evidence: Evidence) -> int | None:
    """How many classes the data set has; None of one's own data set, if the gradients are of the first version."""
    noted = evidence.tables["gradients"].get("data_classes", pd.Series(dtype=float)).dropna()
    return CLASSES.get(evidence.dataset) if noted.empty else int(noted.iloc[0])


def start_epochs(evidence: Evidence) -> list[int]:
    """The measured epochs near initialization: 0, and those before test accuracy reached twice what chance gives."""
    metrics, classes = evidence.tables["metrics"], _num_classes(evidence)
    # At most half way from chance to all, for of two classes twice chance is all. If the classes are not known, epoch 0
    # alone counts.
    reached = min(TIMES_CHANCE / classes, (1 + 1 / classes) / 2) if classes else 0.0
    left = metrics[(metrics["epoch"] > 0) & (metrics["test_accuracy"] >= reached)]["epoch"]
    if left.empty:
        raise NotTestable(
            f"test accuracy never reached {reached:.1%}, twice what chance gives: there is nothing that near "
            "initialization differs from"
        )
    measured = np.sort(rows_of(evidence)["epoch"].unique())
    found = [int(epoch) for epoch in measured if epoch < left.iloc[0]]
    if not found:
        made_by = f"{command('gradients', evidence.folder)} --gradient_epochs=log,best,final"
        raise NotTestable(f"no gradient was measured near initialization; measure it with: {made_by}")
    return found


def require_many_permuted(evidence: Evidence) -> None:
    """Raises NotTestable if there are too few permuted examples for their random labels to average out."""
    classes, rows = _num_classes(evidence), evidence.tables["gradients"]
    if classes is None:
        raise NotTestable(f"how many permuted examples a class has is not known; {measure_again(evidence)}")
    each = rows.loc[rows["group"] == "permuted", "num_examples"].min() / classes
    if each < FEWEST_PERMUTED:
        raise NotTestable(
            f"{each:.0f} permuted examples per class are fewer than {FEWEST_PERMUTED}: the label-dependent part of "
            "random labels vanishes with their number (equation 23)"
        )


def names_of_forms(seeds: Sequence[Evidence]) -> tuple[list[str], str]:
    """Names the forms; tables of the first version have that of equation 16 in the last layer alone."""
    for evidence in seeds:
        by_form = {form: rows_of(evidence, form)["layer"].unique() for form in FORMS}
        if len(by_form["eq16"]) < len(by_form["eq15"]):
            names = [FORMS["eq15"], f"{FORMS['eq16']} in {', '.join(by_form['eq16'])} alone"]
            return names, f"for {FORMS['eq16']} in every layer {measure_again(evidence)}"
    return list(FORMS.values()), ""


def ratios(rows: pd.DataFrame, epoch: int, above: Part, below: Part) -> tuple[float, float]:
    """Lowest and highest ratio of squared norms of any layer, of rows of one form; NotTestable if one is zero."""
    found = ratio_range(rows, epoch, above, below)
    if found is None or found.low <= 0:
        raise NotTestable("a part of the gradient is zero or was not measured")
    return found.low, found.high


def factor(low: float, high: float) -> float:
    """How far a ratio is from one, either way; infinite for one of 0, NaN for none."""
    return max(high, 1 / low if low else float("inf"))


def rows_at(evidence: Evidence, form: str, stage: str) -> pd.DataFrame:
    """The parts by one of `FORMS` at the run's "best" or "final" epoch; raises NotTestable if that was not measured."""
    rows_of(evidence, form)
    rows = evidence.at_stage("gradients", stage)
    return rows[rows["form"] == form]


def total(rows: pd.DataFrame, group: str, part: str) -> pd.Series:
    """Squared norm over all layers, by epoch."""
    own = rows[(rows["group"] == group) & (rows["part"] == part)]
    if own.empty:
        raise NotTestable(f"there are no {group} examples")
    return own.groupby("epoch")["squared_norm"].sum()
