"""docs/results.md: what was run at which scale, and what it showed; Markdown made of committed tables."""

import collections
import contextlib
import math
import pathlib
from collections.abc import Iterator, Sequence

import pandas as pd

from benchmarks import beside_figures, claims_by_run, claims_by_study, rise_by_run, tables, three_capacities
from benchmarks.again import lines_again
from benchmarks.comparison import Comparison, Judged
from benchmarks.discussed import discussed
from benchmarks.measured import read_measured
from benchmarks.prose import sections
from benchmarks.published import comparisons
from benchmarks.study_scale import overview, scale
from memorize_jax.claims.evidence import NotTestable
from memorize_jax.claims.sheet import evaluate
from memorize_jax.claims.statement import FAILS, HOLDS, NOT_TESTABLE, UNDECIDED
from memorize_jax.epochs import best_epoch, final_epoch
from memorize_jax.figures.figure import Figure, missing
from memorize_jax.measurements.registry import figures, open_study, statements
from memorize_jax.report.catalog import caption
from memorize_jax.statistics import student_t_interval
from memorize_jax.studies.accuracies import accuracies
from memorize_jax.studies.study import Study

# Axes of a study -> the figures that are shown of it.
FIGURES = {
    (): ("fig2a", "fig3b", "fig4b"),
    ("permuted_fraction",): ("figa8",),
    ("optimizer", "learning_rate", "weight_decay", "augment"): ("memorization_by_layer",),
    ("width",): ("fig4c", "fig4e", "descent_capacity"),
}
# Of some studies others.
OWN_FIGURES = {
    "spheres_mlp_gradients": ("fig5b", "fig5c", "fig5f"),
    "tiny_imagenet_32_resnet18": (*FIGURES[()], "fig5d"),
    "tiny_imagenet_32_resnet18_decoding": ("decoding_layers",),
    "tiny_imagenet_32_vgg16_decoding": ("decoding_layers",),
    "epochwise_mnist1d": ("epochwise",),
    "tiny_imagenet_32_alexnet": (*FIGURES[()], "localization", "decoding_layers"),
}
DASH = "–"
RISES = "Joint capacity of permuted manifolds, in units of its lower bound 2/M: at the best epoch → at the final one."
THREE = (
    "Best and final epoch, all groups. Joint capacity is what a hyperplane separates, and simulation agrees with it; the input of digits has "
    "too few pixels for all ten classes, so that the two are of other numbers of classes there. A hundred classes of 50 points need more features "
    "than layers have: joint capacity is then of as many classes at a time as a layer can hold (*of which joint*), twenty at most, and simulated are "
    "twenty. On natural images of a hundred classes mean-field capacity, the paper's, agrees with joint capacity to a few percent (8 at most) in the input "
    "and in early layers. In late ones it does not: in VGG16 it is up to 2.3 times as high at the best epoch, in ResNet18 up to 38 % lower at "
    "the end. It parts from it where ten classes share directions, and on the paper's spheres, at the input already."
)
SINCE = (
    "**The mean-field capacities of AlexNet and VGG16 on Tiny ImageNet are too high in the output, and may be in the linear layers before it.** They were "
    "measured when directions of the centers whose variance is a ten-thousandth of the strongest (10 ε P in float32) were taken for rounding. By how "
    "much, two studies show whose networks were measured by both rules. In ResNet18 on Tiny ImageNet mean-field capacity of the output is now 2 to 17 % "
    "lower, its radius up to 7 % and its dimension 2 to 15 % higher; all hidden layers are as they were, within 3 %. In spheres_mlp, seeds 5 to 9, it is "
    "now 7 to 21 % lower in the output. In linear5 it is as it was in the median at the best epoch (from 9 % lower to 10 % higher), 11 % lower at epoch "
    "24 and 14 % lower at the final one (from 24 % lower to 4 % higher). Elsewhere the median moves by 2 % at most, and single numbers by up to 23 %, as "
    "K does, which rounding moves. In the output radius is now up to 10 % and dimension 7 to 17 % higher, in linear5 at the final epoch 4 and 14 % in the "
    "median. With the same draws linear5 of unpermuted examples at the end of seed 9 has a capacity of 0.117 in float64, 0.119 now, and had 0.156. "
    "Claims about capacity are judged by joint capacity, which knows no K, those about radius and dimension by the mean-field ones."
)


def read_studies(folder: pathlib.Path) -> list[Judged]:
    """The committed studies in docs/results, judged, in the order of prose/studies.md, then by name."""
    first = list(sections("studies.md"))
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    names.sort(key=lambda name: first.index(name) if name in first else len(first))
    studies = [(name, open_study(folder / name)) for name in names]

    def anywhere(claim, name):
        """The claim, whose commands do not name the place of these files."""
        return claim._replace(reason=claim.reason.replace(str(folder / name), f"runs/{name}"))

    judge = lambda name, study: [anywhere(claim, name) for claim in evaluate(study, statements())]
    return [Judged(name, study, judge(name, study)) for name, study in studies]


def chosen_figures(study: Study) -> list[Figure]:
    """Those of the study's two or three figures that its tables allow."""
    own = [figures()[name] for name in OWN_FIGURES.get(study.workdir.name, FIGURES[study.axes])]
    return [figure for figure in own if not missing(figure, study)]


def page(folder: pathlib.Path) -> str:
    """All of docs/results.md below its heading, from the folder docs/results, as Markdown."""
    studies = read_studies(folder)
    parts = [
        "## What the papers claim, and what we find",
        claims_by_study.summary(studies),
        claims_by_study.table(studies),
        overview(studies),
        "### Claims that fail",
        claims_by_study.discussions(studies, discussed()),
        "## Where the three capacities part",
        THREE,
        SINCE,
        three_capacities.table(studies),
        "## Published numbers and ours",
        comparison_table(comparisons(studies, read_measured(folder / "measured.csv"))),
        *(part for judged in studies for part in _section(judged)),
    ]
    return "\n\n".join(parts) + "\n"


def comparison_table(rows: Sequence[Comparison]) -> str:
    """Published numbers beside ours, as Markdown; a study's name leads to its section."""
    header = ("quantity", "stated by", "paper", "measured on", "ours", "n", "gap", "reason for the gap")
    studies = sections("studies.md")
    linked = lambda name: f"[{name}](#{name})" if name in studies else name
    return tables.of_rows(header, [row._replace(where=linked(row.where)) for row in rows])


def _section(judged: Judged) -> Iterator[str]:
    study = judged.study
    yield f"## {judged.name}"
    # Why it was run, and what it found where claims alone do not say it.
    why, *found = sections("studies.md").get(judged.name, [""])
    yield why
    yield scale(study)
    yield from found
    if not study.axes:
        yield _by_group(study)
    elif study.axes != ("width",):
        yield _by_run(study)
    if beside := beside_figures.table(study):
        yield f"Point by point beside the paper:\n\n{beside}"
    if study.axes and not claims_by_study.tests_some(judged):
        runs = claims_by_run.judged_runs(study)
        if "geometry" in study.tables:
            # Of a capacity with a margin, or without joint capacity, there is no such table.
            with contextlib.suppress(NotTestable):
                yield "\n\n".join([RISES, rise_by_run.table(runs)])
        yield "Claims, of each run by itself:"
        yield claims_by_run.table(runs)
    else:
        yield _claims(judged)
    for figure in chosen_figures(study):
        yield f"![{figure.title}](results/{judged.name}/figures/{figure.name}.svg)"
        yield f"*{figure.title}. {caption(figure, study)}*"
    if lines := lines_again(judged.name, study):
        several = " (in this order; where two make a table, the later one made it)" if len(lines) > 1 else ""
        yield f"Again{several}:\n\n```sh\n" + "\n".join(lines) + "\n```"


def _by_group(study: Study) -> str:
    """Accuracy of every group at the best and the final epoch, and its peak."""
    found = accuracies(study)
    groups, moments = found.groupby("accuracy_of", sort=False), ("peak", "best", "final")
    rows = [(of, *(_interval(own[moment]) for moment in moments)) for of, own in groups]
    epochs = [", ".join(str(epoch) for epoch in study.epochs_of(stage).values()) for stage in ("best", "final")]
    header = ("accuracy, %", "highest", f"best epoch ({epochs[0]})", f"final epoch ({epochs[1]})")
    return tables.of_rows(header, rows)


def _by_run(study: Study) -> str:
    """The accuracies of every run of a sweep."""
    rows = []
    for run, table in study.tables["metrics"].groupby("run", sort=False):
        member = open_study(study.workdir / str(run))
        found = accuracies(member).set_index("group")
        seeds = [own for _, own in table.groupby("seed")]
        epochs = [", ".join(str(stage(own)) for own in seeds) for stage in (best_epoch, final_epoch)]
        cells = [("train", "final"), ("test", "best"), ("test", "final"), ("restored", "peak"), ("permuted", "final")]
        varied = table.iloc[0][list(study.axes)]
        rows.append((*varied, *epochs, *(_interval(found.loc[[group], moment]) for group, moment in cells)))
    named = ("training, final", "test, best", "test, final", "restored, highest", "permuted, final")
    header = (*(name.replace("_", " ") for name in study.axes), "best epoch", "final epoch", *named)
    return (
        tables.of_rows(header, sorted(rows))
        + "\n\nAccuracies in %; *restored* are the true labels of permuted examples."
    )


def _claims(judged: Judged) -> str:
    """How many claims hold, and those that do not or are undecided."""
    counts = collections.Counter(claim.verdict for claim in judged.claims)
    holding = ", ".join(f"`{claim.claim}`" for claim in judged.claims if claim.verdict in HOLDS)
    held = f"{sum(counts[verdict] for verdict in HOLDS)} hold{' (one seed)' * (HOLDS[1] in counts)}"
    text = f"Of {len(judged.claims)} [claims](claims.md) {held}, {counts[FAILS]} do not, {counts[UNDECIDED]} are undecided, and "
    text += f"{counts[NOT_TESTABLE]} are not testable on these tables. Those that hold: {holding or 'none'}."
    failing = [claim for claim in judged.claims if claim.verdict in (FAILS, UNDECIDED)]
    if not failing:
        return text
    rows = []
    for one in failing:
        ends = "" if math.isnan(one.low) else f" [{one.low:.3g}, {one.high:.3g}]"
        name, value = f"`{one.claim}` ({one.figure})", f"{one.measured:.4g}{ends}"
        rows.append((name, one.verdict, one.quantity, value, one.threshold, one.reason))
    header = ("claim", "verdict", "quantity", "measured", "expected", "why, or why this threshold")
    return f"{text}\n\n{tables.of_rows(header, rows)}"


def _interval(values: pd.Series) -> str:
    found = student_t_interval(values)
    if not found.count:
        return DASH
    half = 100 * (found.high - found.mean)
    return f"{100 * found.mean:.1f}" + ("" if math.isnan(half) else f" ± {half:.1f}")
