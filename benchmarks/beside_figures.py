"""What the paper says of its figures, point by point, and what our studies of the same networks have."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from benchmarks import tables
from benchmarks.figure_numbers import (
    LIKE,
    capacities_in_words,
    change_in_words,
    contrast_in_words,
    correlations_in_words,
    dependent_in_words,
    last_rewound_in_words,
    rewound_in_words,
    training_in_words,
)
from memorize_jax.activations import INPUT
from memorize_jax.studies.study import Study

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


def table(study: Study) -> str:
    """What the paper says of a study's figures beside ours, as Markdown; "" for a study that has none there."""
    points = [point for point in POINTS.get(study.workdir.name, ()) if set(point.needs) <= set(study.tables)]
    if not points:
        return ""
    rows = [(point.figure, point.paper, point.ours(study)) for point in points]
    return f"{tables.of_rows(('figure', 'the paper', 'here'), rows)}\n\n{HOW.format(', '.join([INPUT, *study.layers]))}"


def _of_network(geometry: str, end: Sequence[Point], course: str) -> tuple[Point, ...]:
    """What the paper says of its convolutional networks, of which figures and ends differ."""
    return (
        Point(
            course,
            "training ends near 100 %; test falls after a peak; restored rise, then fall",
            training_in_words,
            ("metrics",),
        ),
        Point(
            f"{geometry}A",
            "unpermuted, restored and test more separable with depth",
            capacities_in_words("best", *LIKE),
        ),
        Point(f"{geometry}A", "permuted near the lower bound in all layers", capacities_in_words("best", "permuted")),
        *end,
    )


_RESNET = _of_network(
    "A.6",
    (
        Point("A.6A", "restored and test behave similarly", contrast_in_words("best", ("restored", "test"))),
        Point(
            "A.6B",
            "permuted at the lower bound up to the final two of eight residual blocks, and rising in these",
            capacities_in_words("final", "permuted"),
        ),
        Point("A.6B", "the three groups as at the best epoch, up to the seventh block", change_in_words),
        Point(
            "A.10",
            "rewinding the final two layers has an effect, as in VGG16",
            rewound_in_words,
            ("rewinding", "metrics"),
        ),
        Point(
            "A.10", "the last convolution gives most back at epoch 0", last_rewound_in_words, ("rewinding", "metrics")
        ),
        Point(
            "A.13",
            "unpermuted examples dominate the dependent part in early epochs, in all layers",
            dependent_in_words,
            ("gradients", "metrics"),
        ),
    ),
    "2A",
)

POINTS: Mapping[str, Sequence[Point]] = {
    "spheres_mlp": (
        Point("A.3", "accuracies go as in the other networks", training_in_words, ("metrics",)),
        Point(
            "A.4A", "unpermuted, restored and test more separable across the layers", capacities_in_words("best", *LIKE)
        ),
        Point("A.4A", "the three alike in early layers, differing more in later ones", contrast_in_words("best")),
        Point("A.4A", "very little untangling of permuted manifolds", capacities_in_words("best", "permuted")),
        Point("A.4A", "center correlation near zero at the input", correlations_in_words),
        Point("A.4B", "permuted manifolds rise after layer 2", capacities_in_words("final", "permuted")),
        Point(
            "A.4B",
            "restored first rise, then saturate in the final three layers",
            capacities_in_words("final", "restored"),
        ),
        Point("A.4B", "test manifolds hardly separable", capacities_in_words("final", "test")),
    ),
    "tiny_imagenet_32_alexnet": _of_network(
        "A.5",
        (
            Point("A.5A", "the three groups nearly identical", contrast_in_words("best")),
            Point(
                "A.5B",
                "permuted begin to rise in the final three layers, less than in other networks",
                capacities_in_words("final", "permuted"),
            ),
            Point(
                "A.9",
                "rewinding the last layer corrects much of the decrease",
                rewound_in_words,
                ("rewinding", "metrics"),
            ),
            Point(
                "A.12",
                "in the final two layers permuted examples, too, have a large dependent part",
                dependent_in_words,
                ("gradients", "metrics"),
            ),
        ),
        "2A",
    ),
    "tiny_imagenet_32_vgg16": _of_network(
        "3",
        (
            Point(
                "3A",
                "no difference between restored and test; none among the three in early layers",
                contrast_in_words("best"),
            ),
            Point(
                "3B",
                "permuted rise steeply in late layers, from conv16 on",
                capacities_in_words("final", "permuted"),
            ),
            Point(
                "3B",
                "early layers unchanged; restored lose in late ones; unpermuted as at the best epoch",
                change_in_words,
            ),
            Point("4B", "rewinding the last convolution gives back most", rewound_in_words, ("rewinding", "metrics")),
            Point(
                "5F",
                "unpermuted examples dominate the dependent part at first",
                dependent_in_words,
                ("gradients", "metrics"),
            ),
        ),
        "2A",
    ),
    "tiny_imagenet_32_resnet18": _RESNET,
    # Of ten classes, where the paper has a hundred.
    "cifar10_resnet18": _RESNET,
    "fashion_resnet18": _RESNET,
}
