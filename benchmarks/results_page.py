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
from benchmarks.discussed import DISCUSSED
from benchmarks.measured import read_measured
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

# Folder of the committed study -> why it was run. In this order; others follow.
ABOUT = {
    "digits": "The first command of the README, from ten seeds: small enough for everybody, with nearly every analysis.",
    "fashion_mlp": "The MLP on all images at full resolution, half of the labels permuted, from three seeds: claims with intervals.",
    "spheres_mlp": "Figures A.3 and A.4 at full size, a hundred classes, from six seeds: the paper's own experiment.",
    "spheres_mlp_gradients": "Figure 5 by the same network, trained from a sixth seed.",
    "tiny_imagenet_32_alexnet": "The paper's AlexNet at full width on natural images, a hundred classes, as many images as CIFAR-100 has: its own regime.",
    "tiny_imagenet_32_vgg16": "Figures 2 to 5: VGG16 of a quarter of the paper's width, without dropout, on the same images, whose labels it knew to 95 % in the end.",
    "tiny_imagenet_32_resnet18": "Figures A.6 and A.10: ResNet18 of a quarter of the paper's width on 15,000 of the same images, from which it learns little before it memorizes.",
    "cifar10_resnet18": "The same network on all 50,000 images of CIFAR-10, kept as image files: ten classes, where the paper has a hundred.",
    "fashion_resnet18": "The same network on all 60,000 images of Fashion-MNIST.",
    "vgg16_recipes": "What moves memorization? VGG16 on 15,000 of the same images with Adam at a constant rate, as in the paper, and with the optimizer, weight decay and augmentation of its own authors. Its rate of 5e-4, batches of 125 and no dropout are not the paper's (1e-4, 1,024).",
    "fashion_fractions": "Figure A.8: more and more permuted labels, from three seeds; on a sixth of the images, so that all are memorized.",
    "descent_mnist1d": "Double descent with published errors: the MLPs of MNIST-1D's notebook at its fourteen widths, from three seeds.",
    "epochwise_mnist1d": "Double descent over epochs: with which share of permuted labels test error falls a second time; five seeds.",
    "masc_mnist": "The decoding paper's MLP and training on MNIST, 20 to 80 % corrupted, at a quarter of its width on a sixth of the images.",
    "masc_fashion_mnist": "The same on Fashion-MNIST.",
    "fashion_conv": "A narrow ResNet18, three seeds, on a sixth of the images at half resolution: all of them would take two cores hours.",
}
# What a study has found, where claims alone do not say it.
FOUND = {
    "spheres_mlp_gradients": "Before anything is learned the gradient of unpermuted examples is four times that of permuted ones, in squared norm, after an epoch "
    "eleven times; at epoch 4, when 70 % of the test points are right, it is less than twice, and at the end a seventh. Its label-dependent part, which shows whose "
    "labels teach the network, is 4 times as large on unpermuted examples at the start, 14 times after an epoch, 36 times at epoch 4, 8 times at the best epoch "
    "and 3 times at the end: what permuted examples want of the network cancels in their mean until they are memorized. One seed, five epochs.",
    "fashion_mlp": "An early study: geometry with K = 1 and without joint capacity, so that what is said of capacity is judged by simulation, and gradients of "
    "seeds 1 and 2 at epochs 0, 1, best and final alone.",
    "vgg16_recipes": "The recipe moves **when** and how much is memorized, and not **where**. SGD has half of the permuted labels by epoch 31, Adam by "
    "epoch 48, and with random crops and flips 41 % are known after a hundred epochs, by a network that had 17.9 % of the test images "
    "right at its best, the others 5.3 to 9.5 %. Weight decay at the rate of VGG's authors changes little: its run was not at 99 % after a hundred epochs, where that without it ended at epoch 78. Yet of all that permuted "
    "manifolds gain from the best to the final epoch, in any recipe 98 % is gained in the last third of the layers, conv15 to linear20, "
    "and no convolution before conv11 moves by more than 1 %. At the best epoch permuted manifolds are at the bound, "
    "within 8 % in all hidden layers. One seed, one choice of examples. Networks that learned too little to be judged (test accuracy "
    "rose by less than ten points) have a dash where a claim is about what they learned; the one with crops and flips had not memorized half of the permuted labels when it "
    "ended.",
    "tiny_imagenet_32_vgg16": "The seconds of its gradients are those of a command that ended what an interrupted one had begun; in later trials an epoch of them took nine to "
    "ten minutes, so that the hours above lack about half an hour.",
    "cifar10_resnet18": "Figure A.6, with ten classes: at the best epoch permuted manifolds are at the bound in all hidden layers, within 1.5 %. At the "
    "end they still are, within 1 %, from conv1 to conv15, and rise in the last two of eight blocks alone: conv16 and conv17 to 1.03 and 1.06 times "
    "the bound, conv19 and conv20 to 1.23 and 2.00. Rewound one by one to the best epoch, conv15 to conv17 give back a fifth to a third of the test "
    "accuracy that was lost, and permuted examples a fifth to a half of their true labels; the last convolution gives back no test accuracy, and a fifth "
    "of the true labels. One seed, three choices of examples. From epoch 9 on the batches were shared by two simulated devices.",
    "fashion_resnet18": "Figure A.6 again, by a network that had 88.7 % of the test images right at its best: permuted manifolds are then at the bound in all hidden "
    "layers, within 1 %. At the end they still are, within 1 %, from conv1 to conv15, and rise in the last two of eight blocks alone: conv16 and "
    "conv17 to 1.02 and 1.07 times the bound, conv19 and conv20 to 1.20 and 1.75. Meanwhile restored and test manifolds lose what depth had given them: "
    "at 3.4 and 3.7 times the bound in conv20 at the best epoch, they end at 1.6 and 1.9 there, below the 2.0 and 2.1 of the pixels. Rewound one by one to the best epoch, "
    "conv15 and conv16 give back two fifths of the test accuracy that was lost, and permuted examples two fifths and a half of their true labels; the last two "
    "convolutions give back no test accuracy from there. One seed, three choices of examples.",
    "masc_mnist": "At every share of corrupted labels a hidden layer knows 11 to 34 points more than the output, as the decoding paper says. With 80 % of them the "
    "pixels themselves are read still better, by 2 points.",
    "masc_fashion_mnist": "At every share of corrupted labels a hidden layer knows 11 to 26 points more than the output, as the decoding paper says. "
    "With 60 and 80 % of them the pixels themselves are read "
    "still better, by 6 and 20 points. With 40 % and more memorizing takes 53 to 54 % of the training, where the claim asks for less than half; one seed.",
}
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
    "epochwise_mnist1d": ("epochwise",),
    "tiny_imagenet_32_alexnet": (*FIGURES[()], "localization", "decoding_layers"),
}
DASH = "–"
RISES = "Joint capacity of permuted manifolds, in units of its lower bound 2/M: at the best epoch → at the final one."
THREE = (
    "Best and final epoch, all groups. Joint capacity is what a hyperplane separates, and simulation agrees with it; the input of digits has "
    "too few pixels for all ten classes, so that the two are of other numbers of classes there. A hundred classes of 50 points need more features "
    "than layers have: joint capacity is then of as many classes at a time as a layer can hold (*of which joint*), twenty at most, and simulated are "
    "twenty. On natural images of a hundred classes mean-field capacity, the paper's, agrees with joint capacity to a few per cent in the input "
    "and in early layers. In late ones it does not: in VGG16 it is up to 2.3 times as high at the best epoch, in ResNet18 up to 39 % lower at "
    "the end. It parts from it where ten classes share directions, and on the paper's spheres, at the input already."
)


def read_studies(folder: pathlib.Path) -> list[Judged]:
    """The committed studies in docs/results, judged, in the order of `ABOUT`, then by name."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    names.sort(key=lambda name: list(ABOUT).index(name) if name in ABOUT else len(ABOUT))
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
        claims_by_study.discussions(studies, DISCUSSED),
        "## Where the three capacities part",
        THREE,
        three_capacities.table(studies),
        "## Published numbers and ours",
        comparison_table(comparisons(studies, read_measured(folder / "measured.csv"))),
        *(part for judged in studies for part in _section(judged)),
    ]
    return "\n\n".join(parts) + "\n"


def comparison_table(rows: Sequence[Comparison]) -> str:
    """Published numbers beside ours, as Markdown; a study's name leads to its section."""
    header = ("quantity", "stated by", "paper", "measured on", "ours", "n", "gap", "reason for the gap")
    linked = lambda name: f"[{name}](#{name})" if name in ABOUT else name
    return tables.of_rows(header, [row._replace(where=linked(row.where)) for row in rows])


def _section(judged: Judged) -> Iterator[str]:
    study = judged.study
    yield f"## {judged.name}"
    yield ABOUT.get(judged.name, "")
    yield scale(study)
    if judged.name in FOUND:
        yield FOUND[judged.name]
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
