"""Numbers that papers state beside ours, which come from committed tables."""

import math
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from scipy.stats.contingency import relative_risk

from benchmarks import printed
from benchmarks.comparison import NONE, Comparison, Judged
from benchmarks.measured import Measured
from benchmarks.published_training import KETHA, corruption, mnist1d
from memorize_jax.claims.selection import PAPERS_FRACTION
from memorize_jax.claims.statement import Claim
from memorize_jax.measurements.decoding.section import PUBLISHED, PUBLISHED_DEGREES
from memorize_jax.runs.folder import RunFolder, member_folders
from memorize_jax.runs.noted import read_config
from memorize_jax.studies.study import Study

STEPHENSON = "Stephenson et al. 2021"
TOOL = "published geometry tool, README at d56eda1"
PAPERS_EXAMPLES, PAPERS_EPOCHS = 50, 1000
RANDOM_CLASSES = 100
MEMORIZED, RECOVERED = 0.99, 0.9
# Data set -> the row of Ketha & Ramaswamy's table that is nearest to it.
NEAREST = {"digits": "MLP, MNIST", "fashion_mnist": "CNN, Fashion-MNIST", "fashion_mnist_14": "CNN, Fashion-MNIST"}
# Their degrees of corruption around half.
AROUND_HALF = (40, 60)
# Classes that share directions, whatever the layer.
FEW_CLASSES = 10


def comparisons(studies: Sequence[Judged], measured: Mapping[str, Measured]) -> list[Comparison]:
    """All published numbers that we have something to say about, in the order of the table."""
    of_studies = (_training, _lower_bound, _rewinding, _decoding, corruption, mnist1d)
    rows = [row for one in of_studies for judged in studies for row in one(judged)]
    return [*_sizes(measured), *_random_points(measured), *rows, *_pixels(measured)]


def _sizes(measured) -> Iterator[Comparison]:
    # The paper states the number of weights of one network and prints the layers of all.
    counted = f"layers printed by {STEPHENSON}, A.10, counted"
    sizes = [("mlp", "hidden weights", 5.2e6, "5.2 M", f"{STEPHENSON}, A.5", "theirs rounded")]
    for network, count in (("vgg16", printed.vgg16), ("resnet18", printed.resnet18)):
        for what, theirs in zip(("parameters", "multiply-adds"), count(), strict=True):
            sizes.append((network, what, theirs, f"{theirs / 1e6:#.4g} M", counted, NONE))
    for network, what, theirs, text, source, reason in sizes:
        ours = measured[f"{network} {what}"].value
        found = text, network, f"{ours / 1e6:#.4g} M", "1 network", _relative(ours, theirs)
        yield Comparison(f"{what} of {network}", source, *found, reason)


def _random_points(measured) -> Iterator[Comparison]:
    bound = 2 / PAPERS_EXAMPLES
    published = (
        ("capacity", bound, f"{STEPHENSON}, 2/M", NONE),
        ("capacity", 0.04, TOOL, NONE),
        ("radius", 1.47, TOOL, "theirs rounded"),
        ("dimension", 36.17, TOOL, "other points and draws; conventions (docs/math.md)"),
        ("center_correlation", 0.01, TOOL, "theirs rounded"),
    )
    for name, theirs, source, reason in published:
        found = measured[f"random points {name}"]
        what = f"{name.replace('_', ' ')} of random points"
        n = f"{RANDOM_CLASSES} manifolds of {PAPERS_EXAMPLES}, {found.n} draws"
        gap = _relative(found.value, theirs) if name != "center_correlation" else f"{found.value - theirs:+.2g}"
        yield Comparison(what, source, f"{theirs:.4g}", "random points", f"{found.value:.4g}", n, gap, reason)


def _training(judged: Judged) -> Iterator[Comparison]:
    claim = judged.claim("training_is_fitted")
    if not math.isfinite(claim.measured):
        return
    epochs = _most_epochs(judged.study)
    reason = f"{' or '.join(map(str, epochs))} epochs at most, theirs {PAPERS_EPOCHS}"
    if claim.measured > MEMORIZED or min(epochs) >= PAPERS_EPOCHS:
        reason = NONE
    found = "> 99 %", judged.name, _percent(claim), _seeds(judged), _beyond(claim.measured, MEMORIZED), reason
    yield Comparison("accuracy on the assigned training labels at the end", f"{STEPHENSON}, section 3", *found)


def _lower_bound(judged: Judged) -> Iterator[Comparison]:
    claim, study = judged.claim("permuted_at_lower_bound"), judged.study
    if not math.isfinite(claim.measured):
        return
    rows = study.tables["geometry"]
    if study.axes:
        rows = rows[_is_judged(rows)]
    examples = int(rows["examples_per_class"].max())
    # The sheet's own words: by which capacity it was judged, and what mean-field theory gives.
    said = [part for part in claim.reason.split("; ") if part.startswith(("judged by", "by mean-field"))]
    off = "mean-field theory is off where features of few true classes share few directions"
    reason = "; ".join([*said, off] if rows["num_classes"].max() <= FEW_CLASSES else said)
    n = f"{_seeds(judged)}, M = {examples}"
    found = "1", judged.name, _number(claim), n, _relative(claim.measured, 1), reason
    what = "permuted capacity at the best epoch in units of 2/M, highest of any hidden layer"
    yield Comparison(what, f"{STEPHENSON}, figure 3A", *found)


def _rewinding(judged: Judged) -> Iterator[Comparison]:
    claim = judged.claim("last_layer_recovers")
    if not math.isfinite(claim.measured):
        return
    has_convolutions = any(layer.startswith("conv") for layer in judged.study.layers)
    reason = "other network and data" if has_convolutions else "no convolutions: the last hidden layer is rewound"
    if best := _best_rewound(judged.study):
        reason += "; {}, the best, has {:.1f} %; with nothing rewound {:.1f} %".format(
            *best, _not_rewound(judged.study)
        )
    gap, ends = _beyond(claim.measured, RECOVERED), _ends_over_images(judged.study, claim.measured)
    ours, n = _percent(claim), _seeds(judged)
    if ends:
        ours, n = f"{ours} [{100 * ends[0]:.4g}, {100 * ends[1]:.4g}]", f"{n}, over its test images"
    found = "> 90 %", judged.name, ours, n, gap, reason
    what = "highest test accuracy with the last convolution rewound, over that of the best epoch"
    yield Comparison(what, f"{STEPHENSON}, figure 4B", *found)


def _ends_over_images(study: Study, share: float) -> tuple[float, float] | None:
    """For one seed, the 95 % interval of a share of the best accuracy over test images; None where their number is not noted."""
    table = study.tables["rewinding"]
    if len(study.seeds) > 1 or table["num_test"].isna().any():
        return None
    best, number = study.tables["metrics"]["test_accuracy"].max(), int(table["num_test"].max())
    # Counts as two samples what is one, on which both networks tend to be right together: too wide rather than too narrow.
    ends = relative_risk(round(share * best * number), number, round(best * number), number).confidence_interval()
    return ends.low, ends.high


def _best_rewound(study: Study) -> tuple[str, float] | None:
    """The hidden layer that helps most when rewound alone, accuracy then over the best, in %, mean over seeds; None where runs differ."""
    if study.axes:
        return None
    table = study.tables["rewinding"]
    alone = table[(table["into"] == "final") & (table["num_layers"] == 1) & table["layer"].isin(study.layers[:-1])]
    peaks = study.tables["metrics"].groupby("seed")["test_accuracy"].max()
    shares = (alone.groupby(["layer", "seed"])["test_accuracy"].max() / peaks).groupby("layer").mean()
    return str(shares.idxmax()), 100 * float(shares.max())


def _not_rewound(study: Study) -> float:
    """Test accuracy of the final network over that of the best epoch, in %, mean over seeds."""
    metrics = study.tables["metrics"].groupby("seed")["test_accuracy"]
    return 100 * float((metrics.last() / metrics.max()).mean())


def _decoding(judged: Judged) -> Iterator[Comparison]:
    claim, nearest = judged.claim("layers_know_more_than_the_output"), NEAREST.get(judged.study.dataset)
    if not math.isfinite(claim.measured) or nearest is None or judged.study.permuted_fraction != PAPERS_FRACTION:
        return
    ends = [PUBLISHED[nearest][PUBLISHED_DEGREES.index(degree)] for degree in AROUND_HALF]
    low, high = sorted(best - final for final, best, _ in ends)
    ours = 100 * claim.measured
    gap = "none" if low <= ours <= high else f"{ours - (low if ours < low else high):+.1f} points"
    published = f"{low:.1f} to {high:.1f} ({nearest}, {AROUND_HALF[0]} to {AROUND_HALF[1]} % corrupted)"
    reason = f"{judged.study.model} on {judged.study.dataset}, 50 % permuted"
    found = published, judged.name, f"{ours:.1f}", _seeds(judged), gap, reason
    what = "test accuracy of subspaces in the best layer above that of the final network, points"
    yield Comparison(what, f"{KETHA}, best layer", *found)


def _pixels(measured) -> Iterator[Comparison]:
    published = {"0.99": 62.23, "0.75": 68.73, "1 component": 66.06}
    for rule, theirs in published.items():
        found = measured[f"pixels {rule}"]
        what = f"test accuracy of subspaces of pixels, {rule}{' of the variance' if rule[0] == '0' else ''}, %"
        values = f"{theirs:.2f}", "Fashion-MNIST", f"{found.value:.2f}", f"{found.n:,} images"
        gap = found.value - theirs
        said = f"{gap:+.2f} points" if abs(gap) > 0.005 else "0"
        yield Comparison(what, f"{KETHA}, released tables", *values, said, NONE)


def _most_epochs(study: Study) -> list[int]:
    """The settings of `epochs` of the runs that the claims are about, each once, in order."""
    folders = [study.workdir]
    if study.axes:
        metrics = study.tables["metrics"]
        folders = [study.workdir / str(run) for run in metrics[_is_judged(metrics)]["run"].unique()]
    runs = [run for folder in folders for run in member_folders(folder) or [folder]]
    return sorted({read_config(RunFolder(run)).epochs for run in runs})


def _is_judged(rows: pd.DataFrame) -> pd.Series:
    """Which rows of a sweep's table are of the runs that the claims are about."""
    fractions = rows["permuted_fraction"]
    return fractions == PAPERS_FRACTION if fractions.nunique() > 1 else fractions.notna()


def _seeds(judged: Judged) -> str:
    number = len(judged.study.seeds)
    half = f", {PAPERS_FRACTION:g} permuted" if judged.study.axes else ""
    return f"{number} seed{'s' * (number > 1)}{half}"


def _relative(ours: float, theirs: float) -> str:
    percent = round(100 * (ours / theirs - 1), 1)
    return f"{percent:+.1f} %" if percent else "0.0 %"


def _beyond(share: float, bound: float) -> str:
    return NONE if share > bound else f"{100 * (share - bound):+.1f} points"


def _percent(claim: Claim) -> str:
    return _number(claim, 100, " %")


def _number(claim: Claim, scale: int = 1, unit: str = "") -> str:
    ends = "" if math.isnan(claim.low) else f" [{scale * claim.low:.4g}, {scale * claim.high:.4g}]"
    return f"{scale * claim.measured:.4g}{unit}{ends}"
