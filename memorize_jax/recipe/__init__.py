"""How a network is trained on its data: optimizer, schedule of the learning rate, augmentation and loss, by name."""

from memorize_jax.recipe.augmentations import AUGMENTATIONS, Augmentation, check_augmentation, make_augmentation
from memorize_jax.recipe.losses import LOSSES, Loss, check_loss, cross_entropy, make_loss
from memorize_jax.recipe.optimizers import OPTIMIZERS, check_optimizer, check_updates, make_optimizer
from memorize_jax.recipe.schedules import SCHEDULES, check_schedule, make_schedule

__all__ = [
    "AUGMENTATIONS",
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULES",
    "Augmentation",
    "Loss",
    "check_augmentation",
    "check_loss",
    "check_optimizer",
    "check_schedule",
    "check_updates",
    "cross_entropy",
    "make_augmentation",
    "make_loss",
    "make_optimizer",
    "make_schedule",
]
