"""Published errors and accuracies of whole trainings beside ours: double descent on MNIST-1D, and layers that know more."""

from collections.abc import Iterator

import pandas as pd

from benchmarks.comparison import NONE, Comparison, Judged
from memorize_jax.activations import INPUT
from memorize_jax.measurements.decoding.section import PUBLISHED, PUBLISHED_DEGREES
from memorize_jax.statistics import student_t_interval

GREYDANUS = "Greydanus & Kobak 2024, notebook, one run"
KETHA = "Ketha & Ramaswamy 2025"
# Width -> test error in % after 500 epochs, 15 % of the labels drawn anew.
MNIST1D_ERRORS = {
    **{5: 57.45, 9: 48.97, 16: 47.24, 21: 50.84, 27: 50.69, 36: 52.80, 47: 54.05, 61: 54.02, 80: 52.08, 104: 50.23},
    **{135: 48.39, 177: 47.88, 230: 46.54, 300: 45.47},
}
# Wider than this the published errors are those of networks that learn; narrower ones end where they start to.
LEARNS_FROM = 16
READ = ("metrics", "decoding")


def mnist1d(judged: Judged) -> Iterator[Comparison]:
    """Test error at every width, where it peaks, and how far it falls behind the peak."""
    study = judged.study
    if study.axes != ("width",) or study.dataset != "mnist1d_12000" or study.model != "mnist1d_mlp":
        return
    table = study.tables["double_descent"]
    final = table[table["moment"] == "final"]
    errors = 100 * (1 - final.pivot(index="seed", columns="width", values="test_accuracy"))
    seeds = f"{len(errors)} seed{'s' * (len(errors) > 1)}"
    for width, theirs in MNIST1D_ERRORS.items():
        if width not in errors:
            continue
        found = student_t_interval(errors[width])
        ours = f"{found.mean:.2f}" + (f" [{found.low:.2f}, {found.high:.2f}]" if len(errors) > 1 else "")
        what = f"test error of an MLP of width {width} on MNIST-1D, 15 % of the labels drawn anew, %"
        reason = "they train once, and ends of narrow networks differ by points" if width < LEARNS_FROM else NONE
        values = f"{theirs:.2f}", judged.name, ours, seeds, f"{found.mean - theirs:+.2f} points"
        yield Comparison(what, GREYDANUS, *values, reason)
    shared = [width for width in MNIST1D_ERRORS if width in errors and width >= LEARNS_FROM]
    if len(shared) < 3:
        return
    theirs, ours = pd.Series(MNIST1D_ERRORS)[shared], errors[shared].mean()
    what = f"width of the highest test error, of {shared[0]} and wider"
    yield Comparison(what, GREYDANUS, f"{theirs.idxmax()}", judged.name, f"{ours.idxmax()}", seeds, NONE, NONE)
    falls = [values.max() - values.loc[values.idxmax() :].min() for values in (theirs, ours)]
    gap = f"{falls[1] - falls[0]:+.1f} points"
    what = "second descent: fall of the test error behind its peak, points"
    yield Comparison(what, GREYDANUS, f"{falls[0]:.1f}", judged.name, f"{falls[1]:.1f}", seeds, gap, NONE)


def corruption(judged: Judged) -> Iterator[Comparison]:
    """The network at the end and subspaces of its best layer, by degree of corruption, of the decoding paper's MLP."""
    study = judged.study
    if study.axes not in ((), ("permuted_fraction",)) or study.model != "masc_mlp" or "decoding" not in study.tables:
        return
    if not study.axes:
        tables = {name: study.tables[name].assign(permuted_fraction=study.permuted_fraction) for name in READ}
        study = study._replace(tables=tables)
    row = {"mnist": "MLP, MNIST"}.get(study.dataset, "CNN, Fashion-MNIST")
    config = next(iter(study.noted.values())).config
    given = f"{config.num_train:,} of 60,000 training images" if config.num_train else ""
    given += f"; width {config.width} of 128" if config.width else ""
    unprinted = "" if study.dataset == "mnist" else "they print no MLP for these data"
    for degree, (network, best, _) in zip(PUBLISHED_DEGREES, PUBLISHED[row], strict=True):
        ours = _read(study, degree / 100)
        if ours is None:
            continue
        final, of_hidden, of_input = ours
        # As there: the raw input is a candidate too.
        highest = max(of_hidden, of_input)
        what = f"test accuracy with {degree} % of the labels corrupted: network at the end, best layer or input, %"
        said = f"the best is the input; no hidden layer has more than {of_hidden:.1f} %" if of_input > of_hidden else ""
        reason = "; ".join(filter(None, (said, unprinted, given))) or NONE
        gains = f"{(highest - final) - (best - network):+.1f} points between the two"
        values = f"{network:.1f}, {best:.1f} ({row})", judged.name, f"{final:.1f}, {highest:.1f}", "1 seed", gains
        yield Comparison(what, f"{KETHA}, best layer", *values, reason)


def _read(study, fraction):
    """Test accuracies in % with a share of the labels corrupted: network at the end, best hidden layer, input."""
    metrics, decoded = (study.tables[name] for name in ("metrics", "decoding"))
    metrics = metrics[metrics["permuted_fraction"] == fraction].sort_values("epoch")
    if metrics.empty:
        return None
    last = metrics.iloc[-1]
    rows = decoded[(decoded["permuted_fraction"] == fraction) & (decoded["epoch"] == last["epoch"])]
    rows = rows[(rows["method"] == "masc") & (rows["labels"] == "assigned")]
    if rows.empty:
        return None
    found = 100 * rows.set_index("layer")["test_accuracy"]
    return 100 * last["test_accuracy"], found.drop([INPUT, study.layers[-1]]).max(), found[INPUT]
