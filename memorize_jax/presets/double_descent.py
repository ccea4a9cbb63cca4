"""Double descent: over widths and over epochs."""

from memorize_jax.config import RunConfig
from memorize_jax.presets.preset import Preset

_MNIST1D = {
    "dataset": "mnist1d_12000",
    "init": "torch",
    "permutation": "uniform",
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "momentum": 0.9,
    "batch_size": 100,
    "stop_accuracy": 1.0,
}
_DESCENT = {"model": "resnet18", "init": "torch", "permuted_fraction": 0.1, "stop_accuracy": 1.0, "keep": "best,last"}


PRESETS = {
    "double_descent": Preset(
        "ResNet18 of widths 1 to 64 on CIFAR-100, 10 % of the labels permuted (figures 4C-E); accelerator",
        RunConfig(dataset="cifar100", **_DESCENT),
        widths="1,2,3,4,6,8,12,16,24,32,48,64",
    ),
    "double_descent_small": Preset(
        "the same at CPU size: narrow networks on 1,000 images of Fashion-MNIST at 14 x 14; ten minutes on two cores",
        RunConfig(
            dataset="fashion_mnist_14", num_train=1000, learning_rate=2e-3, batch_size=125, epochs=60, **_DESCENT
        ),
        {"geometry": {"num_draws": 200}},
        widths="1,2,3,4,6,8",
    ),
    # Network, data and training of the notebook on deep double descent of Greydanus and Kobak (2024), which prints an
    # error for each of these widths.
    "double_descent_mnist1d": Preset(
        "two-layer MLPs on MNIST-1D, 15 % of the labels drawn anew (Greydanus and Kobak 2024); minutes on two cores",
        RunConfig(
            **_MNIST1D, model="mnist1d_mlp", permuted_fraction=0.15, epochs=500, keep="best,last", steps_per_call=40
        ),
        {"geometry": {"num_draws": 200}},
        widths="5,9,16,21,27,36,47,61,80,104,135,177,230,300",
    ),
    # Stephenson and Lee (2021) trained other networks on other data. Here it takes weight decay and a high learning
    # rate for the error to fall again, as the labels are fitted after some 30 epochs (docs/math.md).
    "epochwise_mnist1d": Preset(
        "two-layer MLPs on MNIST-1D, for a sweep over permuted fractions: with which of them test "
        "error descends twice over epochs (Stephenson and Lee 2021); minutes on two cores",
        RunConfig(
            **_MNIST1D
            | {"model": "mnist1d_mlp", "width": 256, "permuted_fraction": 0.3, "epochs": 150, "learning_rate": 0.1}
            | {"weight_decay": 3e-4, "keep": "best,last", "steps_per_call": 40}
        ),
        {"geometry": {"examples_per_class": 30, "num_draws": 100, "joint_draws": 100}},
    ),
}
