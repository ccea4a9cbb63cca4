"""Tables that no measurement makes alone: their columns, with what they mean."""

from collections.abc import Mapping

from memorize_jax.measurements.measurement import Table
from memorize_jax.storage.tables import CLAIMS, RESTORES

# Place in the folder of a run or a study -> the table.
OTHER_TABLES: Mapping[str, Table] = {
    "results/claims": Table(
        CLAIMS,
        meanings={
            "claim": "name of the statement",
            "figure": "figure of the paper that shows it, such as 2A; else ours, or whom the statement is from",
            "statement": "what is stated, in a sentence",
            "quantity": "what is measured to judge it, with its unit",
            "measured": "value of the quantity, the mean over seeds; of several parts the least, of several "
            "definitions that which speaks least for the statement; NaN if it is not testable",
            "low": "lower end of the interval of measured over seeds (Student's t, 95 %; 99 % of figure 3), or "
            "the lowest seed where every seed must pass; NaN with one seed",
            "high": "upper end of the interval of measured over seeds (Student's t, 95 %; 99 % of figure 3), or "
            "the highest seed where every seed must pass; NaN with one seed",
            "threshold": "what measured must be, such as > 0.1",
            "verdict": "holds, holds (one seed), does not hold, undecided (the threshold lies within the interval or "
            "the error) or not testable",
            "reason": "why the threshold is what it is and by which geometry the statement was judged, or why it "
            "cannot be decided or tested",
        },
    ),
    "results/over_seeds": Table(
        ("stage", "group", "layer", "layer_number", "measure", "mean", "low", "high", "num_seeds", "num_bounds"),
        meanings={
            "stage": "best or final, for each seed its own epoch",
            "measure": "column of geometry.csv: capacity, joint_capacity, radius, dimension or center_correlation",
            "mean": "mean of the measure over seeds, in its unit; only an upper bound where num_bounds is not 0",
            "low": "lower end of the 99 % interval of this mean (Student's t); NaN with one seed, or for a bound",
            "high": "upper end of the 99 % interval of this mean (Student's t); NaN with one seed, or for a bound",
            "num_seeds": "seeds whose measure is a number, not NaN",
            "num_bounds": "seeds whose joint_capacity is only an upper bound (joint_status of geometry.csv); 0 for "
            "every other measure",
        },
    ),
    "restores": Table(
        RESTORES,
        meanings={
            "epoch": "last epoch with a finite loss, after which training went on",
            "failed_epoch": "epoch in which the loss was NaN or infinite",
            "failed_step": "step of that epoch at which it was, counted from 1",
            "learning_rate": "learning rate with which training went on, half of the one before",
        },
    ),
    "runs": Table(
        ("run", "seeds", "state", "epochs", "train_accuracy", "test_accuracy"),
        meanings={
            "run": "name of the folder of the run; behind it comes a column for each setting in which the runs differ",
            "seeds": "number of seeds of the run",
            "state": "missing, unfinished, trained (but not measured in full) or complete",
            "epochs": "last epoch that was trained, the lowest over the seeds; 0 if the run is missing",
            "train_accuracy": "share (0 to 1) of training examples that get their assigned label at the last epoch, "
            "mean over the seeds; NaN if the run is missing",
            "test_accuracy": "share (0 to 1) of test examples that get their true label at the last epoch, mean over "
            "the seeds; NaN if the run is missing",
        },
    ),
}
