"""What the columns mean that several tables have; those of one table alone have their meaning in its room."""

from collections.abc import Mapping

# Heading -> column -> its meaning, with its unit and the values of text. A room's own meaning stands before these.
COMMON: Mapping[str, Mapping[str, str]] = {
    "What a row is about": {
        "seed": "seed of the run, a whole number from 0",
        "epoch": "training epoch after which the network was read; 0 is the network before training",
        "layer": "name of the layer, such as conv16 or linear3; input is what the network is given",
        "layer_number": "row of the layer in the table of its network (the paper's are in appendix A.10), where "
        "pooling layers and convolutions on skip connections count too; of a network that was watched its position; 0 "
        "is the input",
        "group": "examples that the row is about: unpermuted; permuted (under their assigned labels); restored (the "
        "permuted ones under their true labels); test",
    },
    "One example": {
        "example": "position of the example in the training set, counted from 0",
        "true": "true class of the example, a whole number from 0",
        "assigned": "class that the network was trained to give the example, a whole number from 0",
        "is_permuted": "True or 1 if the label of the example was among those permuted, which by chance may have left "
        "it as it was; else False or 0",
    },
    "Accuracies and loss": {
        "train_accuracy": "share (0 to 1) of all training examples that get their assigned label",
        "unpermuted_accuracy": "share (0 to 1) of the unpermuted training examples that get their label; NaN if there "
        "are none",
        "permuted_accuracy": "share (0 to 1) of the permuted examples that get their assigned label; NaN if there are "
        "none",
        "restored_accuracy": "share (0 to 1) of the permuted examples that get their true label; NaN if there are none",
        "test_accuracy": "share (0 to 1) of the test examples that get their true label; NaN without a test set",
        "loss": "mean loss of all training examples under their assigned labels, without dropout: cross-entropy in "
        "nats, or the loss that the run was trained with",
    },
    "Mean-field geometry": {
        "capacity": "mean-field capacity α in classes per feature (A.1.1), the harmonic mean over the classes; NaN if "
        "a class has none",
        "capacity_standard_error": "standard error of capacity from the finite number of draws, in classes per "
        "feature; the choice of examples is not in it",
        "radius": "radius R of a class about its center (A.1.2), the mean over the classes, in units of the distance "
        "from the mean of all points to the center, shared directions removed; NaN if a class has none",
        "dimension": "effective dimension D_M of a class in directions (A.1.2), the mean over the classes; with few "
        "examples a lower bound; NaN if a class has none",
        "center_correlation": "ρ, the mean absolute cosine (0 to 1) between the centers of two classes before shared "
        "directions are removed (figure 1)",
        "num_center_components": "K, how many directions that the centers share were removed (A.1.2)",
        "kappa": "margin κ of both capacities, 0 or more: mean-field in units of the distance to the center of the "
        "class, joint in units of the root mean square distance of the centers from the mean of all points",
    },
    "Joint geometry": {
        "joint_capacity": "joint capacity P′/n* in classes per feature, all classes where they are; an upper bound "
        "where joint_status has 128 or 4096; compare with care where joint_classes differs; NaN, as all of the joint "
        "geometry, if joint_draws was 0",
        "joint_capacity_standard_error": "standard error of joint_capacity from the finite number of draws, in classes "
        "per feature; the choice of examples is not in it",
        "joint_radius": "effective radius of the joint geometry in units of the mean anchors' distance; it is defined "
        "differently from radius (docs/math.md, joint geometry) and not comparable with it",
        "joint_dimension": "effective dimension of the joint geometry in directions; it is defined differently from "
        "dimension (docs/math.md, joint geometry) and not comparable with it",
        "joint_utility": "utility, without unit: joint_capacity is joint_utility times (1 + 1/joint_radius²) over "
        "joint_dimension",
        "joint_center_alignment": "mean absolute cosine (0 to 1) between the mean anchors of two classes",
        "joint_axis_alignment": "mean absolute cosine (0 to 1) between the deviations of two classes' anchors from "
        "their means",
        "joint_center_axis_alignment": "mean absolute cosine (0 to 1) between the mean anchor of one class and the "
        "deviation of another class's anchor",
        "joint_active_fraction": "share (0 to 1) of the points of a draw that have weight in its projection",
        "joint_kkt_residual": "mean over the draws of the largest distance by which a projection misses a half-space, "
        "in standard deviations of the Gaussian vector; 0 is exact",
        "joint_classes": "P′, the classes that one dichotomy of the joint geometry takes; it may differ from layer to "
        "layer, and capacities with different numbers of classes should be compared with care",
        "joint_status": "0, or the sum of what is true: 1 points are not finite; 4 the quadratic programs did not "
        "converge; 32 the checkpoint is damaged or missing; 128 joint_capacity is only an upper bound, a warning; 256 "
        "all points coincide; 4096 joint_capacity may be too high, as many directions are lost in rounding, a warning",
    },
    "Sizes, draws and status": {
        "num_classes": "P, the number of classes measured",
        "num_valid_classes": "classes that have a mean-field capacity; if fewer than num_classes, then capacity, "
        "radius and dimension are NaN",
        "examples_per_class": "M, the examples that stand for a class; the fewest if classes differ",
        "num_draws": "n, the Gaussian vectors per class of the mean-field theory",
        "status": "0, or the sum of what is true of any class: 1 its points are not finite; 2 its center is the mean "
        "of all points; 4 its quadratic programs did not converge; 8 less than 5 % of its center is left, a warning; "
        "16 points of another class are not finite; 32 the checkpoint is damaged or missing; 64 its whole center was "
        "removed",
    },
    "Other examples of the same classes": {
        "example_repeats": "how many choices of examples were measured; all numbers but these standard deviations are "
        "of the first; of a file of activations (--points) each choice has other draws too, and columns of intervals "
        "(_mean, _low, _high) are added",
        "capacity_example_sd": "standard deviation of capacity over these choices, in classes per feature; NaN with "
        "one choice",
        "radius_example_sd": "standard deviation of radius over these choices, in its unit; NaN with one choice",
        "dimension_example_sd": "standard deviation of dimension over these choices, in directions; NaN with one "
        "choice",
        "joint_capacity_example_sd": "standard deviation of joint_capacity over these choices, in classes per feature; "
        "NaN with one choice",
    },
    "Images": {
        "height": "height of the image in pixels; 0 if the example is no image",
        "width": "width of the image in pixels; 0 if the example is no image",
        "channels": "channels of the image, such as 1 or 3; 0 if the example is no image",
        "pixels": "the image, height × width × channels bytes from 0 to 255, in base64; empty if the example is no "
        "image",
    },
}
