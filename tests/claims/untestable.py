"""What is done to the studies on which statements hold so that nothing can be decided, and what is said then."""

import numpy as np
import pandas as pd

from memorize_jax.geometry.status import BOUND
from tests.claims.cases import (
    ALL,
    BASES,
    FIRST,
    HALF,
    LAST,
    MLP,
    MOST,
    NONE,
    OVER_EPOCHS,
    STATEMENTS,
    SWEEP,
    THIRD,
    WIDTHS,
    B,
    F,
    P,
    R,
    U,
)
from tests.claims.invented import FINAL, edited, fractions, no_permuted, over_epochs, stopped, widths, without


def of(table):
    """The statements about a run that read a table."""
    return [name for name, base in BASES.items() if table in STATEMENTS[name].needs and base is MLP]


def put(table, column, value, **where):
    return lambda base: edited(base, table, column, value, **where)


def drop(table, **where):
    return lambda base: without(base, table, **where)


def both(first, second):
    return lambda base: second(first(base))


def of_two_without(table):
    return lambda base: without(fractions(seeds=(0, 1)), table, **HALF, seed=1)


def unlike_widths(base):
    return edited(widths(seeds=(0, 1)), "double_descent", "width", 16, seed=1, width=8)


def two_fractions_of_widths(base):
    table = base.tables["double_descent"]
    rows = pd.concat([table.assign(permuted_fraction=fraction) for fraction in (0.1, 0.2)])
    return base._replace(tables={"double_descent": rows}, axes=("width", "permuted_fraction"))


def one_seed_stops_early(_):
    """Seed 1 fits its labels at epoch 5 and ends at 16, enough for itself and not for seed 0, which fits them at 10."""
    base = edited(over_epochs((0, 1)), "metrics", "train_accuracy", 1.0, **HALF, seed=1, epoch=tuple(range(5, 10)))
    return without(base, "metrics", **HALF, seed=1, epoch=tuple(range(17, 40)))


ALIKE = "middle_layer_alike_at_every_fraction"
NO_GEOMETRY = "has no table geometry; make it with: python -m experiments.geometry --workdir=runs/sweep/"
OF_UNPERMUTED = {"gradients_do_not_vanish", "unpermuted_dep_above_ind"}
OF_GROUPS = [name for name in of("gradients") if name not in OF_UNPERMUTED]
TRAINING = [name for name in of("metrics") if STATEMENTS[name].needs == ("metrics",)]
OF_BEST = {name for name in of("geometry") if name.startswith("restored_")} - {"restored_fall_in_late_layers"}
OF_BEST |= {"early_layers_alike_at_best", "permuted_at_lower_bound"}
OF_BOTH = ["gradients_not_small_until_memorized", "parts_equilibrate_late"]
OF_END = ["groups_contribute_alike_at_the_end", "parts_equilibrate_late", "ind_alike_on_both_groups"]
OF_END += ["parts_grow_while_they_cancel"]
OF_MEMORIZING = [*OF_END, "permuted_dep_starts_near_zero", "gradients_not_small_until_memorized"]
OF_TEST_LOST = [name for name in of("rewinding") if name != "true_labels_back_in_late_layers"]
OF_MAINI = of("retraining") + of("flipping") + of("flipping_layers")
OF_CHANGE = ["test_falls_after_peak", "restored_falls_as_permuted_rises", "permuted_take_longer"]
NEAR_START = ["unpermuted_gradient_leads_at_start", "unpermuted_dep_above_ind", "permuted_dep_below_ind"]
NEAR_START += ["unpermuted_dep_above_permuted_dep"]
DRIFT = ["permuted_leave_in_late_layers", "permuted_stay_in_early_layers", "permuted_stay_until_best_epoch"]
OF_WIDTHS = [name for name, base in BASES.items() if base is WIDTHS]
OF_EPOCHS = [name for name, base in BASES.items() if base is OVER_EPOCHS]
OF_EXAMPLES = of("per_example") + of("per_example_auroc")
OF_SCORES = of("memorization_scores")
NO_LABEL, BEFORE_WIDEST = "no label was permuted", "before the widest network memorized"
NOT_REWOUND, AGAIN = "no single layer was rewound", "make the table again with: python -m experiments.capacity_check"
ASSIGNED = "of the permuted examples carry their assigned label"
IN_LAST_BLOCKS, LATER = ("conv17", "conv18", "conv20", "conv21"), {"epoch": (1, 2, 3, 4)}
BEFORE_END = {"epoch": (1, 2, 3)}
RESNETS = "of the network resnet18 or resnet18_tiny, not of mlp"
NEVER = "test accuracy never reached 20.0%, twice what chance gives: there is nothing that near initialization"
TWINS = "twins_part_in_late_layers"
NOT_FINAL = (
    "nothing was measured at the final epoch, 4; measure it with: python -m experiments.{} --workdir={} --{}_epochs"
)
# Statements (or one), what is done, part of the reason.
UNTESTABLE = [
    (TRAINING + of("geometry") + of("rewinding") + of("umap") + of("decoding") + OF_EXAMPLES, no_permuted, NO_LABEL),
    (of("few_shot") + of("similarity") + of("collapse"), no_permuted, NO_LABEL),
    (OF_GROUPS, both(no_permuted, drop("gradients", group="permuted")), NO_LABEL),
    (OF_CHANGE, stopped, f"50% {ASSIGNED}, 50% their true one"),
    (
        [*of("rewinding"), *of("collapse"), *set(of("geometry")) - OF_BEST, *OF_MEMORIZING],
        stopped,
        "before the network memorized",
    ),
    ("resnet_memorizes_in_last_blocks", stopped, "before the network memorized"),
    ([*of("geometry"), *NEAR_START], put("metrics", "unpermuted_accuracy", np.nan, seed=0), "all labels were permuted"),
    ("restored_rises", put("metrics", "unpermuted_accuracy", np.nan, seed=0), "all labels were permuted"),
    (of("geometry"), put("metrics", "test_accuracy", 0.95, **F), "best and final epoch are one"),
    ("test_falls_after_peak", put("metrics", "test_accuracy", 0.12, **LATER), "learned too little"),
    ("permuted_take_longer", put("metrics", "unpermuted_accuracy", 0.4, **LATER), "unpermuted examples were never"),
    # With two classes, chance fits half of them.
    ("permuted_take_longer", put("metrics", "permuted_accuracy", 0.5, epoch=(0, 1, 2)), "from the first epoch on"),
    (
        "test_falls_after_peak",
        both(put("metrics", "permuted_accuracy", 0.52, **F), put("metrics", "restored_accuracy", 0.49, **F)),
        "before the network memorized",
    ),
    ("training_is_fitted", lambda base: base._replace(dataset="tiny_imagenet"), "network does not get there either"),
    (of("rewinding"), put("rewinding", "into", "early", into="final"), NOT_REWOUND),
    (of("rewinding"), put("rewinding", "num_layers", 2, num_layers=1), NOT_REWOUND),
    (of("rewinding"), drop("rewinding", **LAST), "linear5 w"),
    # The final network alone would pass.
    (OF_TEST_LOST, put("metrics", "test_accuracy", 0.85, **F), "too little was lost to win back: the final"),
    ("early_weights_settle_last", drop("rewinding", rewind_epoch=(3, 4), **FIRST), "--rewind_epochs=log,best,final"),
    (
        "early_layers_approach_monotonically",
        drop("rewinding", rewind_epoch=(1, 3, 4)),
        "rewound to 2 epochs, and a curve of 2 has no turns; use --rewind_epochs=log,best,final",
    ),
    (
        "true_labels_back_in_late_layers",
        put("metrics", "restored_accuracy", 0.19, epoch=(1, 2, 3)),
        "too little was learned of permuted examples' true labels: 9.0 points",
    ),
    (
        "true_labels_back_in_late_layers",
        both(put("metrics", "restored_accuracy", 0.3, epoch=(1, 2, 3)), put("metrics", "restored_accuracy", 0.6, **F)),
        "never known better",
    ),
    (OF_MAINI, no_permuted, NO_LABEL),
    (OF_MAINI, stopped, "before the network memorized"),
    ("retraining_any_layer_restores", drop("retraining", **THIRD), "linear3 were not retrained by themselves; use"),
    (
        "memorized_hang_on_fewer_units",
        put("flipping", "is_flipped", 0, is_permuted=False),
        "unpermuted examples did not",
    ),
    ("memorized_hang_on_fewer_units", drop("flipping", is_permuted=True), "no permuted examples that the final"),
    ("units_of_memorized_are_dispersed", drop("flipping_layers", is_permuted=True), "no permuted example was flipped"),
    ("restored_radius_like_test", put("geometry", "radius", np.nan, **R, **B, **THIRD), "no radius of restored"),
    ("permuted_at_lower_bound", put("geometry", "kappa", 0.5, seed=0), "without margin"),
    ("early_layers_unchanged", lambda base: base._replace(layers=("linear1", "linear2", "linear6")), "2 hidden layers"),
    ("spheres_start_uncorrelated", drop("geometry", layer="input"), "the input was not measured"),
    (
        "resnet_memorizes_in_last_blocks",
        put("geometry", "joint_capacity", 0.04, layer=IN_LAST_BLOCKS, **P, **F),
        "at the lower bound in the last two blocks as well",
    ),
    ("spheres_start_uncorrelated", lambda base: MLP, "of the data set spheres or spheres_small, not of digits"),
    (["resnet_memorizes_in_last_blocks", "resnet_last_layer_peaks_untrained"], lambda base: MLP, RESNETS),
    ("tiny_test_easier_than_train", lambda base: MLP, "said of the data set tiny_imagenet, not of digits"),
    ("last_layer_permuted_above_bound", lambda base: SWEEP, "said of the network vgg16 or resnet18, not of mlp"),
    (OF_WIDTHS, lambda base: MLP, "networks of several widths; train some with: python -m experiments.double_descent"),
    (of("gradients"), put("gradients", "weighting", "share", weighting="subset"), "weighted by their shares"),
    (OF_END, drop("gradients", **F), NOT_FINAL.format("gradients", "runs/mine", "gradient")),
    (OF_BOTH, drop("gradients", **B), "nothing was measured at the best epoch"),
    (NEAR_START, put("metrics", "test_accuracy", 0.19, epoch=(0, 1, 2, 3, FINAL)), NEVER),
    (NEAR_START, drop("gradients", epoch=0), "no gradient was measured near initialization"),
    ("theory_matches_simulation", put("capacity_check", "bound", -1, seed=0), "no capacity was simulated"),
    (
        "theory_matches_simulation",
        put("capacity_check", "joint_status", BOUND, seed=0),
        "those that were are only bounds",
    ),
    (
        "theory_matches_simulation",
        put("capacity_check", "joint_capacity", np.nan, layer="linear1"),
        f"no joint capacity beside the simulated one at linear1; {AGAIN}",
    ),
    ("theory_matches_simulation", put("capacity_check", "joint_capacity", np.nan, seed=0), AGAIN),
    (DRIFT[:2], drop("collapse", **F), NOT_FINAL.format("collapse", "runs/mine", "collapse")),
    ("permuted_stay_until_best_epoch", put("collapse", "drift", np.nan, **P, **B, **THIRD), "no drift of permuted"),
    (DRIFT, lambda base: base._replace(layers=("linear1", "linear2", "linear6")), "2 hidden layers are too few"),
    ("labels_swap_with_depth", put("collapse", "nc1_true", 0.0, **F, **FIRST), "classes have no variation within"),
    ("restored_mixed_in_the_plane_at_the_end", drop("umap", group="restored"), "no restored examples"),
    ("layers_know_more_than_the_output", put("decoding", "method", "knn", seed=0), "no hidden layer was"),
    (OF_EXAMPLES, stopped, "before the network memorized"),
    (OF_SCORES, no_permuted, NO_LABEL),
    (OF_SCORES, stopped, "before the network memorized"),
    (OF_SCORES, put("subset_runs", "subset_accuracy", 0.8, seed=0), "the networks fit 80% of the examples they were"),
    (OF_SCORES, put("memorization_scores", "memorization", np.nan, seed=0), "raise --subsets"),
    ("cumulative_loss_orders_as_memorization", put("per_example", "cumulative_loss", 1.0, seed=0), "is the same for"),
    (of("per_example_auroc"), put("per_example_auroc", "auroc", np.nan, seed=0), "was not measured, or no label is"),
    (of("few_shot"), drop("few_shot", **F), NOT_FINAL.format("few_shot", "runs/mine", "few_shot")),
    (of("few_shot"), drop("few_shot", num_shots=1), "with one example of each class was not measured; use --few_shot"),
    (of("few_shot") + of("similarity"), stopped, "before the network memorized"),
    ("late_layers_change_most", drop("similarity", run_b="this"), "measure it with: python -m experiments.similarity"),
    ("late_layers_change_most", drop("similarity", layer_a="linear1"), "no similarity of permuted examples at linear1"),
    (TWINS, drop("similarity", run_b="other"), "layers of no other run were compared; measure them with: python"),
    (TWINS, put("similarity", "permuted_fraction_b", 0.4, run_b="other"), "the other run has permuted labels too"),
    (TWINS, put("similarity", "seed_b", 1, run_b="other"), "the other run has another seed"),
    (OF_WIDTHS, drop("double_descent", width=(1, 2, 3)), "3 widths are too few"),
    (OF_WIDTHS, put("double_descent", "permuted_accuracy", np.nan, seed=0), NO_LABEL),
    (OF_WIDTHS, put("double_descent", "permuted_accuracy", 0.2, width=8), BEFORE_WIDEST),
    # Two classes.
    (OF_WIDTHS, put("double_descent", "restored_accuracy", 0.7, width=8), f"{BEFORE_WIDEST}: 90% {ASSIGNED}, 70%"),
    ("dimension_descends_twice", put("double_descent", "dimension", np.nan, width=3), "no dimension for some width at"),
    (OF_WIDTHS, two_fractions_of_widths, "the networks differ in more than their width, in permuted_fraction"),
    ("dimension_descends_twice", unlike_widths, "the seeds do not have the same widths"),
    (["original_labels_fall_less", "first_layer_alike_at_every_fraction"], lambda base: MLP, "experiments.sweep"),
    (OF_EPOCHS, lambda base: MLP, "the runs have one permuted fraction"),
    (OF_EPOCHS, drop("metrics", **HALF), "2 permuted fractions are too few; train at least 3"),
    (
        OF_EPOCHS,
        put("metrics", "train_accuracy", 0.9, **MOST),
        "fraction 0.8: the labels were not fitted, training accuracy",
    ),
    (
        OF_EPOCHS,
        drop("metrics", epoch=tuple(range(19, 40)), **MOST),
        "fitted at epoch 10 and training ended at 18; train",
    ),
    (
        OF_EPOCHS,
        one_seed_stops_early,
        "fraction 0.5: in the epochs that all seeds have, the labels were fitted at epoch 10 and training ended at 16",
    ),
    (OF_EPOCHS, lambda base: base._replace(unfinished=(("run0.5", 0),)), "training has not ended"),
    (
        "much_noise_is_best_stopped_early",
        put("metrics", "test_accuracy", 0.1, **MOST),
        "permuted fraction 0.8: the network learned too little",
    ),
    (OF_EPOCHS, put("metrics", "test_accuracy", 0.1, **NONE), "fraction 0: the network learned too little"),
    ("original_labels_fall_less", drop("metrics", **NONE), "no run has the permuted fraction 0; train one"),
    ("original_labels_fall_less", put("metrics", "test_accuracy", 0.85, **HALF, **F), "fell by less than a tenth"),
    ("original_labels_fall_less", put("metrics", "permuted_accuracy", 0.3, **HALF, **F), "fraction 0.5: training"),
    ("last_layer_unpermuted_above_restored", drop("geometry", **HALF, **U), "no run has both permuted and unpermuted"),
    (ALIKE, both(drop("geometry", **NONE), drop("metrics", **NONE)), "2 permuted fractions are too few"),
    (ALIKE, drop("geometry", **NONE), f"run run0.0 (permuted fraction 0, seed 0) {NO_GEOMETRY}run0.0"),
    (ALIKE, of_two_without("geometry"), f"run run0.5 (permuted fraction 0.5, seed 1) {NO_GEOMETRY}run0.5"),
    (ALIKE, of_two_without("metrics"), "seed 1 has no run with permuted fraction 0.5, as other seeds have"),
    (
        "last_layer_loses_with_fraction",
        drop("geometry", **ALL, **F),
        f"permuted fraction 1: {NOT_FINAL.format('geometry', 'runs/sweep/run1.0', 'geometry')}=best,final",
    ),
    ("last_layer_loses_with_fraction", put("metrics", "test_accuracy", 0.1, **NONE), "fraction 0: the network learned"),
    ("last_layer_loses_with_fraction", put("metrics", "permuted_accuracy", 0.3, **ALL, **F), "fraction 1: training"),
]
