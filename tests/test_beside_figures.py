import numpy as np
import pandas as pd
import pytest

from benchmarks import beside_figures, figure_numbers
from memorize_jax.measurements.registry import open_study
from tests.commands import ROOT

FOLDER = ROOT / "docs" / "results"


@pytest.fixture(scope="module", params=[name for name in beside_figures.POINTS if (FOLDER / name).is_dir()])
def study(request):
    return open_study(FOLDER / request.param)


def tables(study, name):
    """The table of every seed, read by hand."""
    return [pd.read_csv(path) for path in sorted((FOLDER / study.workdir.name).rglob(f"{name}.csv"))]


def numbers(study, figure, part):
    """What stands in a row of the table that begins with a word."""
    rows = [line.split(" | ") for line in beside_figures.table(study).splitlines()]
    text = next(row[2] for row in rows if row[0] == f"| {figure}" and row[2].startswith(part))
    return [float(number) for number in text.removeprefix(part).replace("|", "").split()]


def test_capacities_of_permuted_examples_are_those_of_the_tables(study):
    letters = {"spheres_mlp": "A.4", "tiny_imagenet_32_alexnet": "A.5", "tiny_imagenet_32_vgg16": "3"}
    letter = letters.get(study.workdir.name, "A.6")
    for figure, stage in ((f"{letter}A", "test_accuracy"), (f"{letter}B", "epoch")):
        seeds = []
        for geometry, metrics in zip(tables(study, "geometry"), tables(study, "metrics"), strict=True):
            epoch = metrics["epoch"][metrics[stage].idxmax()]
            own = geometry[(geometry["epoch"] == epoch) & (geometry["group"] == "permuted")]
            seeds.append(own.sort_values("layer_number")["joint_capacity"].to_numpy() * 50 / 2)
        np.testing.assert_allclose(numbers(study, figure, "permuted "), np.mean(seeds, axis=0), atol=0.00501)


def test_what_rewinding_gives_back_is_that_of_the_tables(study):
    shares = []
    for rewinding, metrics in zip(tables(study, "rewinding"), tables(study, "metrics"), strict=True):
        peak, end = metrics["test_accuracy"].max(), metrics["test_accuracy"].iloc[-1]
        alone = rewinding[(rewinding["into"] == "final") & (rewinding["num_layers"] == 1)]
        shares.append((alone.groupby("layer_number")["test_accuracy"].max() - end) / (peak - end))
    np.testing.assert_allclose(figure_numbers.given_back(study), np.mean(shares, axis=0), rtol=1e-9)


def test_the_page_says_which_layers_and_nothing_of_other_studies(study):
    assert ", ".join(["input", *study.layers]) in beside_figures.table(study)
    assert beside_figures.table(open_study(FOLDER / "digits")) == ""
    without = study._replace(tables={"metrics": study.tables["metrics"]})
    assert beside_figures.table(without).count("\n| ") == 1


def test_accuracy_with_the_last_convolution_rewound_is_that_of_the_tables():
    resnet = open_study(FOLDER / "tiny_imagenet_32_resnet18")
    (rewinding,) = tables(resnet, "rewinding")
    expected = rewinding[rewinding["layer"] == "conv20"].set_index("rewind_epoch")["test_accuracy"]
    pd.testing.assert_series_equal(figure_numbers.last_rewound(resnet), expected.sort_index())
    assert f"conv20 rewound to epoch {', '.join(map(str, expected.index))}, %: " in beside_figures.table(resnet)
