"""Parts of recipes of somebody else, most of them wrong."""

import jax.numpy as jnp
import optax


def warm_up(learning_rate, steps, steps_per_epoch):
    return optax.warmup_cosine_decay_schedule(0.0, learning_rate, steps_per_epoch, steps)


def lion(learning_rate, momentum, weight_decay):
    return optax.lion(learning_rate, b1=momentum, weight_decay=weight_decay)


def no_optimizer(learning_rate, momentum, weight_decay):
    return learning_rate


def other_words(rate):
    return optax.sgd(rate)


def growing(learning_rate, momentum, weight_decay):
    def update(gradients, state, params=None):
        return gradients, (state, jnp.zeros(()))

    return optax.GradientTransformation(lambda params: (), update)


def no_rate(learning_rate, steps, steps_per_epoch):
    return learning_rate


def rates(learning_rate, steps, steps_per_epoch):
    return lambda count: jnp.full(2, learning_rate) * count


def half(key, image):
    return image[::2]


def brighter(key, image):
    return image + 1.0


def mean_loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def wants_three(logits, labels, weights):
    return logits


number = 3
