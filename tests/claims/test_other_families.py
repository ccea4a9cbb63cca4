"""Figures 1B, 2B, A.4, A.6, A.7 and A.8, and the decoding paper."""

import numpy as np
import pandas as pd
import pytest

from memorize_jax.measurements.umap.statements import purity
from tests.claims.invented import BEST, FINAL, assert_judged, edited, fractions, judged, study, without
from tests.claims.test_training import no_permuted, stopped

MLP, SPHERES, TINY = study(), study(dataset="spheres_small"), study(model="resnet18_tiny", dataset="tiny_imagenet")
SWEEP, VGG_SWEEP = fractions(), fractions(model="vgg16")
FIRST, MIDDLE, LAST = ({"layer": f"linear{number}", "group": "test", "epoch": FINAL} for number in (1, 3, 5))
FIRST_PERMUTED, MIDDLE_PERMUTED = (own | {"group": "permuted", "permuted_fraction": 0.5} for own in (FIRST, MIDDLE))
AT_NONE = {"permuted_fraction": 0.0, "epoch": FINAL}
IN_LAST_BLOCKS, BEFORE = ("conv17", "conv18", "conv20", "conv21"), "conv15"


@pytest.mark.parametrize(
    ("name", "base", "value"),
    [
        # The median of 2 %, 4 % and 100 %: what training leaves as it is counts once.
        ("theory_matches_simulation", MLP, 0.04),
        ("permuted_apart_in_the_plane_at_the_end", MLP, 1.0),
        ("restored_mixed_in_the_plane_at_the_end", MLP, 1.0),
        ("spheres_start_uncorrelated", SPHERES, 0.02 * 1),
        ("resnet_memorizes_in_last_blocks", TINY, 1.1 * 1.02),
        ("tiny_test_easier_than_train", TINY, 1.0),
        ("original_labels_fall_less", SWEEP, (0.1 / 0.9) / (0.3 / 0.9)),
        ("first_layer_alike_at_every_fraction", SWEEP, 0.04),
        ("middle_layer_alike_at_every_fraction", SWEEP, 0.04),
        ("first_layer_permuted_at_bound", SWEEP, 1.1 * 1.02),
        ("middle_layer_permuted_at_bound", SWEEP, 1.1 * 1.02),
        ("last_layer_unpermuted_above_restored", SWEEP, 1.5 / 1.02),
        ("last_layer_permuted_above_bound", VGG_SWEEP, 3 * 1.1),
        ("last_layer_loses_with_fraction", SWEEP, 0.25),
        # 0.75 in the second layer; the input has 0.9, and the final network 0.6.
        ("layers_know_more_than_the_output", MLP, 0.15),
    ],
)
def test_what_holds(name, base, value):
    assert_judged(name, base, "holds", value)


def test_theory_is_judged_by_joint_capacity_with_mean_field_beside():
    claim = judged("theory_matches_simulation", MLP)
    assert claim.reason.endswith("; judged by joint capacity; by mean-field capacity (K = 2 to 3): 0.6")


@pytest.mark.parametrize(
    ("name", "base", "measured"),
    [
        ("theory_matches_simulation", edited(MLP, "capacity_check", "joint_capacity", 0.8, seed=0), 0.2),
        ("permuted_apart_in_the_plane_at_the_end", edited(MLP, "umap", "x", 0, group="permuted", epoch=FINAL), 0.0),
        ("restored_mixed_in_the_plane_at_the_end", edited(MLP, "umap", "true", 0, group="restored"), 0.0),
        ("spheres_start_uncorrelated", edited(SPHERES, "geometry", "center_correlation", 0.3, layer="input"), 0.3),
        (
            "resnet_memorizes_in_last_blocks",
            edited(TINY, "geometry", "joint_capacity", 0.06, layer=BEFORE, group="permuted", epoch=FINAL),
            1.5,
        ),
        (
            "tiny_test_easier_than_train",
            edited(TINY, "geometry", "joint_capacity", 0.01, group="test", epoch=BEST),
            0.0,
        ),
        (
            "first_layer_alike_at_every_fraction",
            edited(SWEEP, "geometry", "joint_capacity", 0.09, **FIRST, permuted_fraction=1.0),
            1.02 * 0.101 / 0.09 - 1,
        ),
        (
            "middle_layer_alike_at_every_fraction",
            edited(SWEEP, "geometry", "joint_capacity", 0.3, **MIDDLE, permuted_fraction=0.0),
            0.3 / (1.04 * 0.2) - 1,
        ),
        ("original_labels_fall_less", edited(SWEEP, "metrics", "test_accuracy", 0.45, **AT_NONE), 1.5),
        ("first_layer_permuted_at_bound", edited(SWEEP, "geometry", "joint_capacity", 0.06, **FIRST_PERMUTED), 1.5),
        ("middle_layer_permuted_at_bound", edited(SWEEP, "geometry", "joint_capacity", 0.06, **MIDDLE_PERMUTED), 1.5),
        (
            "last_layer_unpermuted_above_restored",
            edited(SWEEP, "geometry", "joint_capacity", 0.5, **LAST, permuted_fraction=0.5),
            0.45 / 0.5,
        ),
        (
            "last_layer_permuted_above_bound",
            edited(VGG_SWEEP, "geometry", "joint_capacity", 0.044, group="permuted", permuted_fraction=0.5),
            1.1,
        ),
        (
            "last_layer_loses_with_fraction",
            edited(SWEEP, "geometry", "joint_capacity", 0.4, **LAST, permuted_fraction=1.0),
            1.0,
        ),
        ("layers_know_more_than_the_output", edited(MLP, "metrics", "test_accuracy", 0.7, epoch=FINAL), 0.05),
    ],
)
def test_what_does_not_hold(name, base, measured):
    claim = judged(name, base)
    assert claim.verdict == "does not hold"
    assert claim.measured == pytest.approx(measured, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "base", "reason"),
    [
        ("theory_matches_simulation", without(MLP, "capacity_check"), "python -m experiments.capacity_check --workdir"),
        ("theory_matches_simulation", edited(MLP, "capacity_check", "bound", -1, seed=0), "no capacity could be"),
        ("permuted_apart_in_the_plane_at_the_end", without(MLP, "umap"), "python -m experiments.umap --workdir"),
        ("permuted_apart_in_the_plane_at_the_end", no_permuted(MLP), "no label was permuted"),
        ("restored_mixed_in_the_plane_at_the_end", without(MLP, "umap", group="restored"), "no restored examples"),
        ("spheres_start_uncorrelated", MLP, "said of the data set spheres or spheres_small, not of digits"),
        ("spheres_start_uncorrelated", without(SPHERES, "geometry", layer="input"), "the input was not measured"),
        ("resnet_memorizes_in_last_blocks", MLP, "said of the network resnet18 or resnet18_tiny, not of mlp"),
        ("resnet_memorizes_in_last_blocks", stopped(TINY), "before the network memorized"),
        (
            "resnet_memorizes_in_last_blocks",
            edited(TINY, "geometry", "joint_capacity", 0.04, layer=IN_LAST_BLOCKS, group="permuted", epoch=FINAL),
            "at the lower bound in the last two blocks as well",
        ),
        ("tiny_test_easier_than_train", MLP, "said of the data set tiny_imagenet, not of digits"),
        (
            "theory_matches_simulation",
            edited(MLP, "capacity_check", "joint_capacity", np.nan, seed=0),
            "no joint capacity beside the simulated one; make the table again with: "
            "python -m experiments.capacity_check --workdir=runs/mine",
        ),
        ("original_labels_fall_less", MLP, "compare several with: python -m experiments.sweep"),
        (
            "original_labels_fall_less",
            without(SWEEP, "metrics", permuted_fraction=0.0),
            "no run has the permuted fraction 0; train one",
        ),
        (
            "original_labels_fall_less",
            edited(SWEEP, "metrics", "test_accuracy", 0.85, permuted_fraction=0.5, epoch=FINAL),
            "with half of the labels permuted test accuracy fell by less than a tenth of its peak",
        ),
        (
            "original_labels_fall_less",
            edited(SWEEP, "metrics", "permuted_accuracy", 0.3, permuted_fraction=0.5, epoch=FINAL),
            "permuted fraction 0.5: training ended before the network memorized",
        ),
        ("last_layer_permuted_above_bound", SWEEP, "said of the network vgg16 or resnet18, not of mlp"),
        (
            "last_layer_unpermuted_above_restored",
            without(SWEEP, "geometry", permuted_fraction=0.5, group="unpermuted"),
            "no run has both permuted and unpermuted labels",
        ),
        ("first_layer_alike_at_every_fraction", MLP, "compare several with: python -m experiments.sweep"),
        (
            "middle_layer_alike_at_every_fraction",
            without(without(SWEEP, "geometry", permuted_fraction=0.0), "metrics", permuted_fraction=0.0),
            "2 permuted fractions are too few",
        ),
        (
            "middle_layer_alike_at_every_fraction",
            without(SWEEP, "geometry", permuted_fraction=0.0),
            "run run0.0 (permuted fraction 0, seed 0) has no table geometry; make it with: "
            "python -m experiments.geometry --workdir=runs/sweep/run0.0",
        ),
        (
            "middle_layer_alike_at_every_fraction",
            without(fractions(seeds=(0, 1)), "geometry", permuted_fraction=0.5, seed=1),
            "run run0.5 (permuted fraction 0.5, seed 1) has no table geometry",
        ),
        (
            "middle_layer_alike_at_every_fraction",
            without(fractions(seeds=(0, 1)), "metrics", permuted_fraction=0.5, seed=1),
            "seed 1 has no run with permuted fraction 0.5, as other seeds have",
        ),
        (
            "last_layer_loses_with_fraction",
            without(SWEEP, "geometry", permuted_fraction=1.0, epoch=FINAL),
            "permuted fraction 1: nothing was measured at the final epoch, 4; measure it with: "
            "python -m experiments.geometry --workdir=runs/sweep/run1.0 --geometry_epochs=best,final",
        ),
        (
            "last_layer_loses_with_fraction",
            edited(SWEEP, "metrics", "test_accuracy", 0.1, permuted_fraction=0.0),
            "permuted fraction 0: the network learned too little",
        ),
        (
            "last_layer_loses_with_fraction",
            edited(SWEEP, "metrics", "permuted_accuracy", 0.3, permuted_fraction=1.0, epoch=FINAL),
            "permuted fraction 1: training ended before the network memorized",
        ),
        ("layers_know_more_than_the_output", without(MLP, "decoding"), "python -m experiments.decoding --workdir"),
        ("layers_know_more_than_the_output", no_permuted(MLP), "no label was permuted"),
        ("layers_know_more_than_the_output", edited(MLP, "decoding", "method", "knn", seed=0), "no hidden layer was"),
    ],
)
def test_what_is_not_testable(name, base, reason):
    claim = judged(name, base)
    assert claim.verdict == "not testable"
    assert reason in claim.reason


def test_purity_is_one_for_classes_apart_and_chance_for_labels_that_mean_nothing():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 200)
    centers = 100 * rng.normal(size=(10, 2))
    assert purity(centers[labels] + rng.normal(size=(2000, 2)), labels) == 1
    assert purity(rng.normal(size=(2000, 2)), labels) == pytest.approx(0.1, abs=0.03)


def test_purity_equals_a_loop_also_where_points_coincide():
    rng = np.random.default_rng(1)
    places, labels = rng.integers(0, 30, size=(60, 2)).astype(float), rng.integers(0, 3, size=60)
    places = np.unique(places, axis=0)
    labels = labels[: len(places)]
    distances = np.linalg.norm(places[:, None] - places, axis=-1) + np.diag(np.full(len(places), np.inf))
    # Of several nearest ones any may be taken.
    ties = distances == distances.min(axis=1, keepdims=True)
    same = labels[:, None] == labels
    found = purity(places, labels)
    assert (same | ~ties).all(axis=1).mean() <= found <= (same & ties).any(axis=1).mean()
    # Each point twice, with its label: the nearest is always the other one.
    assert purity(np.repeat(places, 2, axis=0), np.repeat(labels, 2)) == 1


@pytest.mark.parametrize(("layer", "measured"), [("conv9", 2 * 1.1 / 1.05 - 1), ("conv11", 1.1 / 1.05 - 1)])
def test_the_middle_layer_is_the_middle_convolution(layer, measured):
    one, fractions_of = study(model="vgg16"), (0.25, 0.5, 1.0)
    tables = {
        name: pd.concat([one.tables[name].assign(permuted_fraction=own, run=f"run_{own:g}") for own in fractions_of])
        for name in ("metrics", "geometry")
    }
    sweep = one._replace(permuted_fraction=float("nan"), tables=tables, kind="sweep", varies=("permuted_fraction",))
    where = {"layer": layer, "group": "test", "epoch": FINAL, "permuted_fraction": 1.0}
    claim = judged("middle_layer_alike_at_every_fraction", edited(sweep, "geometry", "joint_capacity", "* 2", **where))
    assert claim.measured == pytest.approx(measured)
