"""Every statement: a study on which it holds, and changes of one number after which it does not."""

from memorize_jax.measurements import registry
from tests.claims.invented import BEST, FINAL, fractions, over_epochs, study, widths

MLP, SPHERES, TINY = study(), study(dataset="spheres_small"), study(model="resnet18_tiny", dataset="tiny_imagenet")
SWEEP, VGG_SWEEP, WIDTHS, OVER_EPOCHS = fractions(), fractions(model="vgg16"), widths(), over_epochs()
# Value of what holds on each of the invented studies, by hand.
HELD = [
    (
        MLP,
        {
            "training_is_fitted": 0.995,
            "test_falls_after_peak": 1 - 0.6 / 0.9,
            "restored_rises": 0.8,
            "restored_falls_as_permuted_rises": 0.8,
            # Half of the permuted examples at epoch 3, of the unpermuted ones at epoch 1.
            "permuted_take_longer": 3.0,
            # A tenth of the rise at epoch 3, nine tenths at epoch 4, of 4.
            "permuted_converge_quickly": 0.25,
            "restored_capacity_like_test": 0.05,
            "restored_radius_like_test": 0.02,
            "restored_dimension_like_test": 0.03,
            "early_layers_alike_at_best": 0.05,
            "restored_untangle_with_depth": 1.2**4,
            "restored_radius_falls_with_depth": 0.95**4,
            "restored_dimension_falls_with_depth": 0.95**4,
            "permuted_at_lower_bound": 1.1,
            "permuted_rise_in_late_layers": 3.0,
            # The last of five layers gains twice its capacity, the others 2 % of it.
            "memorized_mostly_in_late_layers": 2 / (2 + 4 * 0.02),
            # Radius 0.7, dimension 0.8.
            "permuted_shrink_in_late_layers": 0.8,
            "restored_fall_in_late_layers": 0.5,
            "early_layers_unchanged": 0.02,
            "early_layers_alike_at_the_end": 0.05,
            "unpermuted_as_at_best_epoch": 0.02,
            # 0.95 of the lost 0.3 come back to 0.6; the peak is 0.9.
            "last_layer_recovers": 0.885 / 0.9,
            "late_layers_recover_more": 0.95,
            "true_labels_back_in_late_layers": 0.95,
            # The lead of assigned labels in the final network is 0.9.
            "retraining_any_layer_restores": 0.6,
            "memorized_hang_on_fewer_units": 2 / 8,
            # A quarter, and its standard error.
            "units_of_memorized_are_dispersed": 0.25 + 0.0625,
            "early_layers_approach_monotonically": 0.0,
            # The first layer has settled at epoch 3, the last at 1, of 4.
            "early_weights_settle_last": 0.5,
            # By the less favorable of both forms.
            "gradients_do_not_vanish": 0.5,
            "gradients_not_small_until_memorized": 1.0,
            "unpermuted_gradient_leads_at_start": 6.0,
            "groups_contribute_alike_at_the_end": 1.5,
            "unpermuted_dep_above_ind": 8.0,
            # From the final epoch on, 4, and the best one is 2.
            "parts_equilibrate_late": 2.0,
            "permuted_dep_below_ind": 0.5 / 0.96,
            "unpermuted_dep_above_permuted_dep": 16.0,
            "ind_alike_on_both_groups": 1.25,
            "permuted_dep_starts_near_zero": 0.5 / 8,
            # Least of 16 / 8, 12 / 1, 10 / 5 and 9.6 / 1.2.
            "parts_grow_while_they_cancel": 2.0,
            # The median of 2 %, 4 % and 100 %: what training leaves as it is counts once.
            "theory_matches_simulation": 0.04,
            "permuted_apart_in_the_plane_at_the_end": 1.0,
            "restored_mixed_in_the_plane_at_the_end": 1.0,
            "permuted_leave_in_late_layers": 0.6 - 0.02,
            "permuted_stay_in_early_layers": 0.02,
            "permuted_stay_until_best_epoch": 0.05,
            # 5 over 0.5 in the first layer, 3 over 1.5 at the output.
            "labels_swap_with_depth": 2.0,
            "wrong_labels_are_learned_later": 3.0,
            "loss_tells_before": 0.4,
            "depth_tells_afterward": 0.9,
            "wrong_labels_are_memorized_one_by_one": 0.8,
            "cumulative_loss_orders_as_memorization": 1.0,
            "one_shot_learns_assigned_labels": 0.25,
            "one_shot_loses_true_labels": 0.2,
            "late_layers_change_most": 0.95 - 0.6,
            "twins_part_in_late_layers": 0.95 - 0.4,
            # 0.75 in the second layer; the input has 0.9, and the final network 0.6.
            "layers_know_more_than_the_output": 0.15,
        },
    ),
    (SPHERES, {"spheres_start_uncorrelated": 0.02}),
    (
        TINY,
        {
            "resnet_memorizes_in_last_blocks": 1.1 * 1.02,
            "tiny_test_easier_than_train": 1.0,
            "resnet_last_layer_peaks_untrained": 1.0,
        },
    ),
    (
        SWEEP,
        {
            "original_labels_fall_less": (0.1 / 0.9) / (0.3 / 0.9),
            "first_layer_alike_at_every_fraction": 0.04,
            "middle_layer_alike_at_every_fraction": 0.04,
            "first_layer_permuted_at_bound": 1.1 * 1.02,
            "middle_layer_permuted_at_bound": 1.1 * 1.02,
            "last_layer_unpermuted_above_restored": 1.5 / 1.02,
            "last_layer_loses_with_fraction": 0.25,
        },
    ),
    (VGG_SWEEP, {"last_layer_permuted_above_bound": 3 * 1.1}),
    (
        WIDTHS,
        {
            # 0.3 up to 0.5, down to 0.4, up to 0.65: the fall is least; a tenth of the range is above two points.
            "accuracy_descends_twice": 0.1 / 0.035,
            # 10 down to 7, up to 9, down to 5; the range is 5, a tenth of it more than 5 % of the mean.
            "dimension_descends_twice": 2 / 0.5,
            # The radius goes from 1.3 to 1.31; its range is 0.6.
            "radius_and_correlation_monotonic": 0.01 / 0.6,
            # Accuracy falls from the second to the third width; the correlation is at 0.21 and 0.2, the radius at 1.4
            # and 1.3.
            "radius_and_correlation_unchanged": 0.1 / 1.35,
            "best_epoch_monotonic": 0.01 / 0.6,
        },
    ),
    (
        OVER_EPOCHS,
        {
            "little_noise_descends_once": 0.0,
            # 0.5 up to 0.6, of 0.4, 0.1 and 0.15 the least.
            "some_noise_descends_twice": 0.1 / 0.02,
            # 0.7 at the minimum.
            "much_noise_is_best_stopped_early": 0.1 / 0.02,
        },
    ),
]
BASES = {name: base for base, values in HELD for name in values}
STATEMENTS = {one.name: one for one in registry.statements()}

U, P, R, T = ({"group": group} for group in ("unpermuted", "permuted", "restored", "test"))
B, F, FIRST, THIRD, LAST = {"epoch": BEST}, {"epoch": FINAL}, *({"layer": f"linear{own}"} for own in (1, 3, 5))
START, FOURTH, DEP, IND, FULL = {"epoch": 0}, {"layer": "linear4"}, *({"part": own} for own in ("dep", "ind", "full"))
NONE, HALF, MOST, ALL = ({"permuted_fraction": fraction} for fraction in (0.0, 0.5, 0.8, 1.0))
RISEN = {"epoch": tuple(range(6, 17))}
BEFORE, WRONG, RETRAINED = {"layer": "conv15"}, {"is_permuted": True}, {"retrained_epochs": 7}
# Table -> statement, column, new value (or factor), where, and what is measured then: not enough.
FAILS = {
    "metrics": [
        ("training_is_fitted", "train_accuracy", 0.98, F, 0.98),
        ("test_falls_after_peak", "test_accuracy", 0.855, F, 0.05),
        ("restored_rises", "restored_accuracy", 0.15, {"epoch": (1, 2, 3)}, 0.05),
        # Given up, but for nothing: permuted accuracy was there before.
        ("restored_falls_as_permuted_rises", "permuted_accuracy", 0.95, B, 0.04),
        ("restored_falls_as_permuted_rises", "restored_accuracy", 0.15, {"epoch": (0, 1, 2, 3)}, 0.05),
        ("permuted_take_longer", "permuted_accuracy", 0.5, {"epoch": 1}, 1.0),
        ("permuted_converge_quickly", "permuted_accuracy", 0.2, {"epoch": (1, 2)}, 0.75),
        ("original_labels_fall_less", "test_accuracy", 0.45, NONE | F, 1.5),
        ("little_noise_descends_once", "test_accuracy", 0.4, NONE | RISEN, 0.1 / 0.02),
        ("some_noise_descends_twice", "test_accuracy", 0.5, HALF | RISEN, 0.0),
        (
            "much_noise_is_best_stopped_early",
            "test_accuracy",
            0.29,
            MOST | {"epoch": tuple(range(17, 40))},
            0.01 / 0.02,
        ),
        ("layers_know_more_than_the_output", "test_accuracy", 0.7, F, 0.05),
    ],
    "geometry": [
        # One layer is enough, in whichever direction it differs.
        ("restored_capacity_like_test", "joint_capacity", "* 0.8", R | B | THIRD, 1 - 1.05 * 0.8),
        ("restored_radius_like_test", "radius", "* 1.2", R | B | LAST, 1.02 * 1.2 - 1),
        ("restored_dimension_like_test", "dimension", "* 1.2", R | B | LAST, 1.03 * 1.2 - 1),
        ("early_layers_alike_at_best", "joint_capacity", "* 1.1", R | B | FIRST, 1.1 * 1.05 - 1),
        ("early_layers_alike_at_the_end", "joint_capacity", "* 1.1", U | F | FIRST, 1.1 * 1.05 - 1),
        ("restored_radius_falls_with_depth", "radius", "* 1.2", R | B | LAST, 1.2 * 0.95**4),
        ("restored_dimension_falls_with_depth", "dimension", "* 1.2", R | B | LAST, 1.2 * 0.95**4),
        ("unpermuted_as_at_best_epoch", "joint_capacity", "* 0.8", U | F | LAST, 0.2),
        ("restored_untangle_with_depth", "joint_capacity", "* 0.5", R | B | LAST, 1.2**4 / 2),
        ("permuted_at_lower_bound", "joint_capacity", 0.052, P | B | {"layer": "linear2"}, 1.3),
        ("permuted_rise_in_late_layers", "joint_capacity", 0.045, P | F | LAST, 0.045 / 0.044),
        ("memorized_mostly_in_late_layers", "joint_capacity", 3 * 0.044, P | F, 1 / 5),
        ("permuted_shrink_in_late_layers", "dimension", 9.5, P | F | LAST, 0.95),
        ("permuted_shrink_in_late_layers", "radius", 1.1, P | F | LAST, 1.1),
        ("restored_fall_in_late_layers", "joint_capacity", "* 1.9", R | F | LAST, 0.95),
        ("early_layers_unchanged", "joint_capacity", "* 1.5", T | F | FIRST, 0.53),
        ("spheres_start_uncorrelated", "center_correlation", 0.3, {"layer": "input"}, 0.3),
        ("resnet_memorizes_in_last_blocks", "joint_capacity", 0.06, P | F | BEFORE, 1.5),
        ("tiny_test_easier_than_train", "joint_capacity", 0.01, T | B, 0.0),
        ("first_layer_alike_at_every_fraction", "joint_capacity", 0.09, T | F | FIRST | ALL, 1.02 * 0.101 / 0.09 - 1),
        ("middle_layer_alike_at_every_fraction", "joint_capacity", 0.3, T | F | THIRD | NONE, 0.3 / (1.04 * 0.2) - 1),
        ("first_layer_permuted_at_bound", "joint_capacity", 0.06, P | F | FIRST | HALF, 1.5),
        ("middle_layer_permuted_at_bound", "joint_capacity", 0.06, P | F | THIRD | HALF, 1.5),
        ("last_layer_unpermuted_above_restored", "joint_capacity", 0.5, T | F | LAST | HALF, 0.45 / 0.5),
        ("last_layer_permuted_above_bound", "joint_capacity", 0.044, P | HALF, 1.1),
        ("last_layer_loses_with_fraction", "joint_capacity", 0.4, T | F | LAST | ALL, 1.0),
    ],
    "rewinding": [
        ("last_layer_recovers", "test_accuracy", 0.72, LAST | {"rewind_epoch": BEST}, 0.8),
        ("late_layers_recover_more", "test_accuracy", 0.62, LAST | {"rewind_epoch": BEST}, 0.02 / 0.3),
        ("true_labels_back_in_late_layers", "restored_accuracy", 0.14, LAST | {"rewind_epoch": BEST}, 0.05),
        # Up by 0.06 and down again.
        ("early_layers_approach_monotonically", "test_accuracy", 0.66, FIRST | {"rewind_epoch": 1}, 1.0),
        ("early_weights_settle_last", "train_accuracy", 0.5, LAST | {"rewind_epoch": (1, 2, 3)}, -0.25),
        ("resnet_last_layer_peaks_untrained", "test_accuracy", 0.7, {"rewind_epoch": 0}, 0.7 / 0.885),
    ],
    "gradients": [
        ("gradients_do_not_vanish", "squared_norm", 0.1, FIRST | {"group": "all", "epoch": 1}, 0.05),
        ("gradients_not_small_until_memorized", "squared_norm", "* 0.05", {"group": "all", "epoch": 2}, 0.05),
        ("unpermuted_gradient_leads_at_start", "squared_norm", 1.0, P | FULL | START, 1.5),
        ("groups_contribute_alike_at_the_end", "squared_norm", 0.5, U | FULL | F, 2.0),
        # One layer.
        ("unpermuted_dep_above_ind", "squared_norm", 2.0, U | DEP | FOURTH | START, 2.0),
        ("permuted_dep_below_ind", "squared_norm", 3.6, P | DEP | FOURTH | START, 3.6 / 0.96),
        ("unpermuted_dep_above_permuted_dep", "squared_norm", 4.0, P | DEP | FOURTH | START, 2.0),
        # Any epoch.
        ("ind_alike_on_both_groups", "squared_norm", "* 0.5", P | IND | FOURTH | F, 2.5),
        ("ind_alike_on_both_groups", "squared_norm", "* 3", P | IND | FOURTH | B, 3.6),
        ("permuted_dep_starts_near_zero", "squared_norm", "* 4", P | DEP | START, 0.25),
        ("parts_grow_while_they_cancel", "squared_norm", 0.6, U | IND | F, 0.6),
        # Equal at the best epoch already; from the first one on; in one layer not even at the end.
        ("parts_equilibrate_late", "squared_norm", 8.0, U | IND | {"epoch": (2, 3)}, 1.0),
        ("parts_equilibrate_late", "squared_norm", 8.0, U | IND | {"epoch": (0, 1, 2, 3)}, 0.0),
        ("parts_equilibrate_late", "squared_norm", 1.0, U | IND | FOURTH | F, 0.0),
    ],
    "retraining": [
        # Of one layer.
        ("retraining_any_layer_restores", "permuted_accuracy", 0.185, THIRD | RETRAINED, 0.15),
    ],
    "flipping": [("memorized_hang_on_fewer_units", "num_flipped", 8, WRONG | {"num_flipped": (1, 2)}, 1.0)],
    "flipping_layers": [
        # Less than half, but for the sample.
        ("units_of_memorized_are_dispersed", "share", 0.45, FIRST | WRONG, 0.45 + (0.45 * 0.55 / 48) ** 0.5),
    ],
    "few_shot": [
        ("one_shot_learns_assigned_labels", "simulated", 0.45, P | F | LAST | {"num_shots": 1}, 0.05),
        ("one_shot_loses_true_labels", "simulated", 0.1, R | F | LAST | {"num_shots": 1}, 0.05),
    ],
    "similarity": [
        ("late_layers_change_most", "cka_debiased", 0.9, {"layer_a": "linear5", "run_b": "this"}, 0.05),
        ("twins_part_in_late_layers", "cka_debiased", 0.3, {"layer_a": "linear1", "run_b": "other"}, -0.1),
    ],
    "capacity_check": [("theory_matches_simulation", "joint_capacity", 0.8, {"seed": 0}, 0.2)],
    "collapse": [
        ("permuted_leave_in_late_layers", "drift", 0.2, P | F | LAST, 0.18),
        ("permuted_stay_in_early_layers", "drift", 0.3, P | F | FIRST, 0.3),
        ("permuted_stay_until_best_epoch", "drift", 0.2, P | B | THIRD, 0.2),
        ("labels_swap_with_depth", "nc1_assigned", 3.0, F | {"layer": "linear6"}, 1.0),
        ("labels_swap_with_depth", "nc1_assigned", 0.5, F | FIRST, 1.0),
    ],
    "umap": [
        ("permuted_apart_in_the_plane_at_the_end", "x", 0, P | F, 0.0),
        ("restored_mixed_in_the_plane_at_the_end", "true", 0, R, 0.0),
    ],
    "per_example": [
        ("wrong_labels_are_learned_later", "learned_epoch", 2, {"assigned": 1}, 2.0),
        # The loss of what is least memorized is highest: ranks 4, 1, 2, 3.
        ("cumulative_loss_orders_as_memorization", "cumulative_loss", 9.0, {"example": 0}, -0.2),
    ],
    "memorization_scores": [("wrong_labels_are_memorized_one_by_one", "memorization", 0.3, {"assigned": 1}, 0.2)],
    "per_example_auroc": [
        ("loss_tells_before", "auroc", 0.8, {"score": "prediction_depth_best"}, 0.15),
        ("depth_tells_afterward", "auroc", 0.7, {"score": "prediction_depth_final"}, 0.7),
    ],
    "double_descent": [
        ("accuracy_descends_twice", "test_accuracy", 0.3, {"moment": "final", "width": 2}, 0.0),
        ("dimension_descends_twice", "dimension", 9.5, {"moment": "final", "width": 2}, 0.0),
        ("radius_and_correlation_monotonic", "center_correlation", 0.4, {"moment": "final", "width": 4}, 0.2 / 0.35),
        ("radius_and_correlation_unchanged", "radius", 1.2, {"moment": "final", "width": 3}, 0.2 / 1.3),
        ("best_epoch_monotonic", "dimension", 10.0, {"moment": "best", "width": 8}, 1.0),
    ],
}
