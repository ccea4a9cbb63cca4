"""Random changes of training images by name, on the device; sole owner of dm-pix."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Shaped

from memorize_jax import plugins
from memorize_jax.recipe.names import check_name, guarded

# Takes a key, the images of a batch [n, ...] and the number of each in the data set [n]; gives images like them.
Augmentation = Callable[[jax.Array, Shaped[Array, "n ..."], Int[Array, " n"]], Shaped[Array, "n ..."]]
# An image is padded by this share of its height and width on every side before it is cropped, at least by one pixel: 4
# pixels of 32.
PADDED_SHARE = 1 / 8


def _flip(key, image):
    import dm_pix

    return dm_pix.random_flip_left_right(key, image)


def _crop(key, image):
    import dm_pix

    margins = [(max(1, round(PADDED_SHARE * size)),) * 2 for size in image.shape[:2]]
    return dm_pix.random_crop(key, jnp.pad(image, (*margins, (0, 0))), image.shape)


STEPS: dict[str, Callable] = {"flip": _flip, "crop": _crop}
AUGMENTATIONS = ("none", *STEPS, ",".join(STEPS))


def check_augmentation(name: str) -> None:
    """Raises ValueError, naming the valid ones, unless `name` is an augmentation, or MODULE:NAME; imports nothing."""
    if not plugins.is_own(name) and name not in AUGMENTATIONS:
        known = "none, flip, crop, or flip,crop"
        raise ValueError(f"expected augment to be {known}, or MODULE:NAME of your own, got {name!r}")
    check_name("augment", name, AUGMENTATIONS)


def make_augmentation(name: str, shape: Sequence[int], dtype: Any) -> Augmentation | None:
    """Makes the function that changes the images of a training batch at random; None for "none".

    - flip: left and right are exchanged with probability 1/2;
    - crop: padded by zeros, an eighth of height and width on every side and at least a pixel, then cropped to the size
      it had.

    Each image has a key of its own, from the step's key and its number in the data set: what happens to it does not
    depend on the batch or on the number of devices.

    Args:
      name: one of `AUGMENTATIONS`; or MODULE:NAME, a function of yours that takes a key and one example as the data
        set has it (an image [height, width, channels] of 0 .. 255, in float32) and returns one like it.
      shape: of an example.
      dtype: of the examples in the data set.
    """
    check_augmentation(name)
    if name == "none":
        return None
    if plugins.is_own(name):
        one = plugins.find("augment", name)
        if not callable(one):
            raise ValueError(f"augment {name}: expected a function of a key and an example, got {one!r:.60}")
    else:
        if len(shape) != 3:
            raise ValueError(f"expected images [height, width, channels] for augment={name}, got {list(shape)}")
        one = functools.partial(_in_turn, name.split(","))

    def augment(key, images, indices) -> Any:
        keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, indices)
        wide = images.astype(jnp.promote_types(images.dtype, jnp.float32))
        return jax.vmap(one)(keys, wide)

    asked, numbers = jax.ShapeDtypeStruct((2, *shape), dtype), jax.ShapeDtypeStruct((2,), jnp.int32)
    traced = functools.partial(jax.eval_shape, augment, jax.eval_shape(jax.random.key, 0))
    found = guarded("augment", name, traced, asked, numbers)
    if getattr(found, "shape", None) != asked.shape or not jnp.issubdtype(found.dtype, jnp.floating):
        raise ValueError(f"augment {name}: expected an example {list(shape)} in float32 again, got {_of_one(found)}")
    return augment


def _in_turn(names, key, image):
    for number, step in enumerate(names):
        image = STEPS[step](jax.random.fold_in(key, number), image)
    return image


def _of_one(found):
    shape, dtype = getattr(found, "shape", None), getattr(found, "dtype", None)
    return f"{list(shape[1:])} in {dtype}" if shape is not None else f"{type(found).__name__}"
