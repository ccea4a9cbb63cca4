"""What the paper says of its figures on a hundred classes, point by point, and what our studies of the same networks have."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from benchmarks import tables
from memorize_jax.activations import INPUT
from memorize_jax.measurements.rewinding.sources import own_rows
from memorize_jax.measurements.rewinding.statements import last_layer
from memorize_jax.studies.accuracies import accuracies
from memorize_jax.studies.study import Study

LIKE = ("unpermuted", "restored", "test")
HOW = (
    "Capacities are joint ones in units of the lower bound 2/M, mean over seeds; where mean-field capacity, the paper's, parts from them is "
    "told above. Layers: {}."
)


class Point(NamedTuple):
    """One thing that the paper says.

    Attributes:
      figure: of the paper.
      paper: what it says, in our words.
      ours: takes our study and gives what it has there, in numbers.
      needs: names of the tables that `ours` reads.
    """

    figure: str
    paper: str
    ours: Callable[[Study], str]
    needs: tuple[str, ...] = ("geometry",)


def by_layer(study: Study, stage: str, group: str, column: str = "joint_capacity") -> pd.Series:
    """A measure of the geometry at the best or final epoch, mean over seeds, by layer from the input to the output."""
    rows = study.at_stage("geometry", stage)
    means = rows[rows["group"] == group].groupby("layer")[column].mean()
    return means.reindex([INPUT, *study.layers])


def contrasts(study: Study, stage: str) -> pd.Series:
    """Highest over lowest joint capacity of the groups `LIKE`, less 1, by layer."""
    groups = pd.DataFrame({group: by_layer(study, stage, group) for group in LIKE})
    return groups.max(axis=1) / groups.min(axis=1) - 1


def last_rewound(study: Study) -> pd.Series:
    """Test accuracy with the last convolution rewound alone, by rewind epoch; mean over seeds."""
    table = own_rows(study.tables["rewinding"])
    rows = table[(table["into"] == "final") & (table["layer"] == last_layer(study.layers))]
    return rows.groupby("rewind_epoch")["test_accuracy"].mean()


def given_back(study: Study) -> pd.Series:
    """The share of the lost test accuracy that a layer, rewound alone to the epoch that helps most, gives back; mean over seeds."""
    table, found = own_rows(study.tables["rewinding"]), accuracies(study).query("group == 'test'").set_index("seed")
    alone = table[(table["into"] == "final") & (table["num_layers"] == 1)]
    best = alone.groupby(["layer", "seed"])["test_accuracy"].max()
    lost = found["peak"] - found["final"]
    return best.sub(found["final"], level="seed").div(lost, level="seed").groupby("layer").mean().reindex(study.layers)


def table(study: Study) -> str:
    """What the paper says of a study's figures beside ours, as Markdown; "" for a study that has none there."""
    points = [point for point in POINTS.get(study.workdir.name, ()) if set(point.needs) <= set(study.tables)]
    if not points:
        return ""
    rows = [(point.figure, point.paper, point.ours(study)) for point in points]
    return f"{tables.of_rows(('figure', 'the paper', 'here'), rows)}\n\n{HOW.format(', '.join([INPUT, *study.layers]))}"


def _listed(values: pd.Series, scale: float = 1, digits: int = 2) -> str:
    return " ".join("–" if pd.isna(value) else f"{scale * value:.{digits}f}" for value in values)


def _capacities(stage: str, *groups: str) -> Callable[[Study], str]:
    def ours(study):
        per_bound = study.tables["geometry"]["examples_per_class"].max() / 2
        return "; ".join(f"{group} {_listed(by_layer(study, stage, group), per_bound)}" for group in groups)

    return ours


def _contrast(stage: str) -> Callable[[Study], str]:
    return lambda study: f"highest above lowest of the three groups, %: {_listed(contrasts(study, stage), 100, 1)}"


def _training(study: Study) -> str:
    found = accuracies(study).groupby("group")[["peak", "best", "final"]].mean() * 100
    epochs = [", ".join(map(str, study.epochs_of(stage).values())) for stage in ("best", "final")]
    test, restored, permuted = (found.loc[group] for group in ("test", "restored", "permuted"))
    return (
        f"training ends at {found.loc['train', 'final']:.1f} % (epoch {epochs[1]}); test {test['peak']:.1f} % at epoch {epochs[0]}, "
        f"{test['final']:.1f} % at the end; restored at most {restored['peak']:.1f} %, {restored['final']:.1f} % at the end; permuted "
        f"{permuted['best']:.1f} % when test is highest"
    )


def _correlations(study: Study) -> str:
    return "; ".join(f"{group} {by_layer(study, 'best', group, 'center_correlation')[INPUT]:.3f}" for group in LIKE)


def _change(study: Study) -> str:
    """How far the three groups went from the best epoch to the end."""
    changes = [(by_layer(study, "final", group) / by_layer(study, "best", group) - 1) for group in LIKE]
    return f"change since the best epoch, %: {'; '.join(f'{group} {_listed(own, 100, 0)}' for group, own in zip(LIKE, changes, strict=True))}"


def _rewound(study: Study) -> str:
    return f"share of the lost test accuracy that each layer gives back, %: {_listed(given_back(study), 100, 0)}"


def _last_rewound(study: Study) -> str:
    found = last_rewound(study)
    return f"test accuracy with {last_layer(study.layers)} rewound to epoch {', '.join(map(str, found.index))}, %: {_listed(found, 100, 1)}"


def _dependent(study: Study) -> str:
    """Of permuted over unpermuted examples, norm of the label-dependent part."""
    table = study.tables["gradients"]
    rows = table[(table["part"] == "dep") & (table["form"] == "eq15")]
    norms = rows.set_index(["epoch", "layer", "group"])["squared_norm"].groupby(level=[0, 1, 2]).mean() ** 0.5
    groups = norms.unstack("group")
    ratios = groups["permuted"] / groups["unpermuted"]
    there = set(ratios.index.get_level_values("epoch"))
    named = {"epoch 1": 1, "best epoch": next(iter(study.epochs_of("best").values()))}
    layers = [layer for layer in study.layers if layer in ratios.index.get_level_values("layer")]
    parts = [f"{name} {_listed(ratios.loc[epoch].reindex(layers))}" for name, epoch in named.items() if epoch in there]
    return (
        f"dependent part of permuted over that of unpermuted examples, {layers[0]} to {layers[-1]}: {'; '.join(parts)}"
    )


def _of_network(geometry: str, end: Sequence[Point], course: str) -> tuple[Point, ...]:
    """What the paper says of its convolutional networks, of which figures and ends differ."""
    return (
        Point(
            course,
            "training ends near 100 %; test falls after a peak; restored rise, then fall",
            _training,
            ("metrics",),
        ),
        Point(f"{geometry}A", "unpermuted, restored and test more separable with depth", _capacities("best", *LIKE)),
        Point(f"{geometry}A", "permuted near the lower bound in all layers", _capacities("best", "permuted")),
        *end,
    )


POINTS: Mapping[str, Sequence[Point]] = {
    "spheres_mlp": (
        Point("A.3", "accuracies go as in the other networks", _training, ("metrics",)),
        Point("A.4A", "unpermuted, restored and test more separable across the layers", _capacities("best", *LIKE)),
        Point("A.4A", "the three alike in early layers, differing more in later ones", _contrast("best")),
        Point("A.4A", "very little untangling of permuted manifolds", _capacities("best", "permuted")),
        Point("A.4A", "center correlation near zero at the input", _correlations),
        Point("A.4B", "permuted manifolds rise after layer 2", _capacities("final", "permuted")),
        Point("A.4B", "restored first rise, then saturate in the final three layers", _capacities("final", "restored")),
        Point("A.4B", "test manifolds hardly separable", _capacities("final", "test")),
    ),
    "tiny_imagenet_32_alexnet": _of_network(
        "A.5",
        (
            Point("A.5A", "the three groups nearly identical", _contrast("best")),
            Point(
                "A.5B",
                "permuted begin to rise in the final three layers, less than in other networks",
                _capacities("final", "permuted"),
            ),
            Point("A.9", "rewinding the last layer corrects much of the decrease", _rewound, ("rewinding", "metrics")),
            Point(
                "A.12",
                "in the final two layers permuted examples, too, have a large dependent part",
                _dependent,
                ("gradients", "metrics"),
            ),
        ),
        "2A",
    ),
    "tiny_imagenet_32_vgg16": _of_network(
        "3",
        (
            Point(
                "3A", "no difference between restored and test; none among the three in early layers", _contrast("best")
            ),
            Point(
                "3B",
                "permuted rise steeply in late layers, from the last convolution on",
                _capacities("final", "permuted"),
            ),
            Point("3B", "early layers unchanged; restored lose in late ones; unpermuted as at the best epoch", _change),
            Point("4B", "rewinding the last convolution gives back most", _rewound, ("rewinding", "metrics")),
            Point(
                "5F", "unpermuted examples dominate the dependent part at first", _dependent, ("gradients", "metrics")
            ),
        ),
        "2A",
    ),
    "tiny_imagenet_32_resnet18": _of_network(
        "A.6",
        (
            Point("A.6A", "restored and test behave similarly", _contrast("best")),
            Point(
                "A.6B",
                "permuted at the lower bound up to the final two of eight residual blocks, and rising in these",
                _capacities("final", "permuted"),
            ),
            Point("A.6B", "the three groups as at the best epoch, up to the seventh block", _change),
            Point(
                "A.10", "rewinding the final two layers has an effect, as in VGG16", _rewound, ("rewinding", "metrics")
            ),
            Point("A.10", "the last convolution gives most back at epoch 0", _last_rewound, ("rewinding", "metrics")),
            Point(
                "A.13",
                "unpermuted examples dominate the dependent part in early epochs, in all layers",
                _dependent,
                ("gradients", "metrics"),
            ),
        ),
        "2A",
    ),
}
