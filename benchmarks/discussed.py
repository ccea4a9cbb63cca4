"""Why claims fail where they do: what docs/results.md says below its first table."""

from benchmarks.claims_by_study import Discussion

DISCUSSED: dict[str, Discussion] = {
    "training_is_fitted": Discussion(
        "regime",
        "The runs of this sweep end after 200 epochs where the paper allows 1,000; the same kind of network passes 99 % in the other "
        "studies.",
    ),
    "restored_capacity_like_test": Discussion(
        "definition",
        "By mean-field capacity, the paper's measure, the largest difference is 7 %, and the claim holds. What a hyperplane separates differs "
        "in single layers by 10 to 25 %, in one seed below the test examples and in another above them: which 50 examples stand for one of "
        "ten classes moves a capacity, and this study did not measure by how much. With a hundred classes the claim holds by either.",
    ),
    "early_layers_alike_at_best": Discussion(
        "regime",
        "Unpermuted examples are more separable than restored and test examples from the first layer on, by a tenth to a third, growing with "
        "depth: where test accuracy is highest, after 6 to 9 epochs, labels that were trained on are already learned in part. By mean-field "
        "capacity the three groups are alike to 7 %. With a hundred classes they are alike by either.",
    ),
    "early_layers_alike_at_the_end": Discussion(
        "regime", "The same difference in the first layer, at the end; see `early_layers_alike_at_best`."
    ),
    "restored_radius_falls_with_depth": Discussion(
        "definition",
        "The radius falls, by a little less than the tenth that counts as noticeable here; the paper names no size.",
    ),
    "unpermuted_as_at_best_epoch": Discussion(
        "paper",
        "While other examples are memorized, unpermuted ones lose capacity in late layers of MLPs, as restored and test examples do, only less: "
        "on Fashion-MNIST the last hidden layers lose a third to a half. The paper calls them *similar to the best epoch*.",
    ),
    "memorized_mostly_in_late_layers": Discussion(
        "regime",
        "In MLPs the rise begins in the second or third of five hidden layers and grows steadily, so that the last third has less than "
        "half of it; the paper says of its own MLP *after layer 2* (A.4), which is what is measured. The sentence is about "
        "convolutional networks, where the rise is in the last layers.",
    ),
    "early_layers_unchanged": Discussion(
        "regime",
        "On ten classes of Fashion-MNIST the MLP's first layers, too, lose a fifth to a quarter of the capacity that they had at the best epoch, "
        "and return to that of the pixels: 150 to 200 epochs of memorizing follow on a best epoch of 6 to 9.",
    ),
    "early_weights_settle_last": Discussion(
        "not known",
        "In the narrow ResNet18 on a sixth of the images the late layers settle last.",
    ),
    "last_layer_recovers": Discussion(
        "regime",
        "Rewinding the last hidden layer gives back much of what was lost, but never nine tenths of the peak, to whatever epoch. The number is of "
        "VGG16 on CIFAR-100; of AlexNet the paper says that its last layer *corrects a significant fraction* (A.8), which is what we find.",
    ),
    "late_layers_recover_more": Discussion(
        "regime",
        "On Fashion-MNIST the MLP recovers more by its first two layers than by its last: every layer changed while it memorized (see "
        "`early_layers_unchanged`), and the first one feeds all others.",
    ),
    "true_labels_back_in_late_layers": Discussion(
        "regime",
        "The same by true labels of permuted examples; ours, not the paper's. In the convolutional networks it holds.",
    ),
    "early_layers_approach_monotonically": Discussion(
        "paper",
        "Rewound to epochs near the best one, early layers, too, give more than the final accuracy, and come down to it afterward; the later "
        "the layer, the more. The paper says so of late layers only.",
    ),
    "radius_and_correlation_monotonic": Discussion(
        "regime",
        "Two-layer MLPs of MNIST-1D with ten classes, K chosen for each width: where K changes, radius and correlation jump. The paper's "
        "statement is about ResNet18 on a hundred classes, which nobody has run here.",
    ),
    "radius_and_correlation_unchanged": Discussion("regime", "As `radius_and_correlation_monotonic`."),
    "dimension_descends_twice": Discussion(
        "regime",
        "As `radius_and_correlation_monotonic`; test error of the same networks does descend twice, as published.",
    ),
    "best_epoch_monotonic": Discussion("regime", "As `radius_and_correlation_monotonic`."),
    "groups_contribute_alike_at_the_end": Discussion(
        "not known",
        "At the end permuted examples have the larger gradient, threefold in squared norm, 1.7-fold in norm: of the labels that are not yet "
        "learned when training stops at 99 %, most are permuted. The paper stops there too.",
    ),
    "unpermuted_dep_above_ind": Discussion(
        "definition",
        "By equation 15 the label-independent part keeps what a fresh network prefers whatever it sees; by equation 16, class by class "
        "about its mean, it does not, and the label-dependent part is 200 to 300 times larger. The paper gives both definitions.",
    ),
    "permuted_dep_below_ind": Discussion(
        "definition",
        "As above, in the other direction: by equation 16 nothing is left of the independent part near initialization, so that even the "
        "small label-dependent part of permuted examples is larger.",
    ),
    "unpermuted_dep_above_permuted_dep": Discussion(
        "regime",
        "3.99 where 4 is asked, in the least favorable layer: the part of permuted examples shrinks with the root of their number, of which "
        "there are 500 a class.",
    ),
    "ind_alike_on_both_groups": Discussion(
        "paper",
        "Alike near initialization, as the paper's argument says. At the end larger on unpermuted examples, which is the direction that the paper "
        "notes (A.1), but by 2 to 14 in single layers, where it says *slightly*.",
    ),
    "permuted_dep_starts_near_zero": Discussion(
        "regime", "0.105 where 0.1 is asked; 500 permuted examples a class (see `unpermuted_dep_above_permuted_dep`)."
    ),
}
