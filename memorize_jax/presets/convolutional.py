"""Convolutional networks on natural images, in the paper's regime and near it."""

from memorize_jax.config import RunConfig
from memorize_jax.presets.preset import Preset

# The first hundred classes of Tiny ImageNet at 32 x 32 have the shape of CIFAR-100, 500 training images a class. What
# costs most with a hundred classes and 50,000 images is bounded as for spheres_mlp. The paper's rate of 1e-4 and
# batches of 1,024 would take a processor days.
_TRAINING = {"init": "torch", "learning_rate": 5e-4, "keep": "log"}
_TINY_32 = {"dataset": "tiny_imagenet_32", **_TRAINING}
_TINY_32_SETTINGS = {
    "geometry": {"geometry_epochs": "log,best,final"},
    "capacity_check": {"capacity_classes": 20},
    "per_example": {"depth_neighbors": 0},
    "gradients": {"gradient_epochs": "0,1,4,best,final"},
    "rewinding": {"rewind_layers": "each"},
    "decoding": {"decoding_epochs": "final", "decoding_dynamics": 0},
}
_RESNET18 = {"model": "resnet18", "width": 16, "batch_size": 125}
# All images of ten classes; training is that of ResNet18 on Tiny ImageNet. At that constant rate training accuracy goes
# up and down, on CIFAR-10 between 94.9 and 96.4 % from epoch 23 to 32, on Fashion-MNIST between 91.7 and 94.2 % from 26
# on.
_TEN_CLASSES = {**_RESNET18, **_TRAINING, "epochs": 32}
_TEN_CLASSES_SETTINGS = _TINY_32_SETTINGS | {"gradients": {"gradient_epochs": "0,best,final"}}

PRESETS = {
    # The convolutional networks start as in PyTorch, the language of the authors' published geometry tool; the paper
    # itself does not say.
    "fashion_vgg16": Preset(
        "Fashion-MNIST padded to 32 x 32 x 3, VGG16, half of the labels permuted; accelerator",
        RunConfig(dataset="fashion_mnist_32", model="vgg16", init="torch"),
    ),
    "cifar100_alexnet": Preset(
        "the paper's AlexNet on CIFAR-100 (table 2, figure A.5), half of the labels permuted; accelerator",
        RunConfig(dataset="cifar100", model="alexnet", init="torch"),
    ),
    "cifar100_vgg16": Preset(
        "the paper's VGG16 on CIFAR-100 (table 3, figures 2 to 5), half of the labels permuted; accelerator",
        RunConfig(dataset="cifar100", model="vgg16", init="torch"),
    ),
    "cifar100_resnet18": Preset(
        "the paper's ResNet18 on CIFAR-100 (table 4, figure A.6), half of the labels permuted; accelerator",
        RunConfig(dataset="cifar100", model="resnet18", init="torch"),
    ),
    "tiny_imagenet_32_alexnet": Preset(
        "the paper's AlexNet at full width on 100 classes of Tiny ImageNet at 32 x 32, all 50,000 images, half of the "
        "labels permuted; two hours on two cores",
        RunConfig(**_TINY_32, model="alexnet", batch_size=500, epochs=300),
        _TINY_32_SETTINGS,
    ),
    "tiny_imagenet_32_vgg16": Preset(
        "VGG16 of a quarter of the paper's width on the same images; four hours on two cores",
        # Without dropout, "no regularization" (section 3): with it, a narrow network memorizes in days.
        RunConfig(**_TINY_32, model="vgg16", width=16, dropout=0.0, batch_size=125, epochs=200),
        _TINY_32_SETTINGS,
    ),
    "tiny_imagenet_32_resnet18": Preset(
        "ResNet18 of a quarter of the paper's width on 15,000 of the same images; two hours on two cores",
        # 75 permuted ones in each class: 10,000 would leave the fifty of the geometry, and no others to choose.
        RunConfig(**_TINY_32, **_RESNET18, num_train=15000, epochs=100),
        _TINY_32_SETTINGS,
    ),
    "cifar10_resnet18": Preset(
        "ResNet18 of a quarter of the paper's width on CIFAR-10, all 50,000 images, half of the labels permuted; two "
        "hours on two cores",
        RunConfig(dataset="cifar10", **_TEN_CLASSES),
        _TEN_CLASSES_SETTINGS,
    ),
    "fashion_resnet18": Preset(
        "the same network on all 60,000 images of Fashion-MNIST, half of the labels permuted; two hours on two cores",
        RunConfig(dataset="fashion_mnist", **_TEN_CLASSES),
        _TEN_CLASSES_SETTINGS,
    ),
    "tiny_imagenet_resnet18": Preset(
        "the paper's ResNet18 on Tiny ImageNet (table 5, figure A.7), half of the labels permuted; accelerator",
        RunConfig(dataset="tiny_imagenet", model="resnet18_tiny", init="torch"),
        # 100 of the 200 classes, as many manifolds as for CIFAR-100.
        {"geometry": {"max_classes": 100}},
    ),
}
