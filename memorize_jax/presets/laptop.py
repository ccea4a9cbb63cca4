"""What a laptop runs in seconds to an hour: small sets, MLPs, the paper's synthetic experiment."""

from memorize_jax.config import RunConfig
from memorize_jax.presets.preset import Preset

PRESETS = {
    "smoke": Preset(
        "seconds; for tests",
        RunConfig(dataset="digits", width=32, learning_rate=3e-3, epochs=4),
        {
            "geometry": {"examples_per_class": 10, "num_draws": 20, "joint_draws": 20},
            "decoding": {"decoding_epochs": "0,final", "decoding_dynamics": 3, "probe_examples": 300},
        },
    ),
    "digits": Preset(
        "scikit-learn's handwritten digits, half of the labels permuted; 75 seconds on two cores",
        RunConfig(dataset="digits", width=256, learning_rate=1e-4, epochs=1000),
        {
            "geometry": {"examples_per_class": 30, "num_draws": 300},
            "decoding": {"decoding_dynamics": 6, "probe_examples": 1000},
        },
    ),
    "spheres": Preset(
        "the paper's synthetic spheres (A.5) at CPU size, half of the labels permuted; minutes on two cores",
        RunConfig(dataset="spheres_small", width=256, learning_rate=3e-4, epochs=300),
        {"geometry": {"examples_per_class": 50, "num_draws": 200}},
    ),
    "spheres_mlp": Preset(
        "the paper's spheres and MLP at full size (table 1, figures A.3 and A.4); 35 minutes on two cores",
        RunConfig(dataset="spheres"),
        # Costs that grow with the square of the classes (simulations) and of the examples (neighbors): for all hundred
        # and all 50,000 each would take longer than the rest. A minute goes into an epoch's gradients, five into the
        # 40,000 directions of an epoch's decoding.
        {
            "capacity_check": {"capacity_classes": 10},
            "per_example": {"depth_neighbors": 0},
            "gradients": {"gradient_epochs": "0,1,4,best,final"},
            "decoding": {"decoding_epochs": "final", "decoding_dynamics": 0},
        },
    ),
    "letter": Preset(
        "UCI's letters, 26 classes of 16 measures, MLP, half of the labels permuted; minutes on two cores",
        RunConfig(dataset="letter", num_train=5200, width=512, learning_rate=5e-4, batch_size=260, epochs=200),
    ),
    "openclipart": Preset(
        "clip art at 32 x 32, 52 classes, narrow AlexNet, half of the labels permuted; minutes on two cores",
        RunConfig(
            dataset="openclipart",
            model="alexnet",
            init="torch",
            width=16,
            learning_rate=1e-3,
            batch_size=128,
            epochs=300,
        ),
        # So many permuted, unpermuted and test pictures has every class.
        {"geometry": {"examples_per_class": 10}},
    ),
    "fashion_mnist": Preset(
        "Fashion-MNIST, all 60,000 images, MLP, half of the labels permuted; an hour on two cores",
        # 99 % after some 200 epochs; larger batches or smaller steps take longer on a processor.
        RunConfig(dataset="fashion_mnist", width=512, learning_rate=5e-4, batch_size=256, epochs=300),
    ),
}
