"""Images of a few examples: as text in a table, and drawn."""

import base64

import numpy as np
from jaxtyping import UInt8

# Columns of a table that hold an image; `pixels` is text.
IMAGE = ("height", "width", "channels", "pixels")


def encode_image(image: UInt8[np.ndarray, "height width channels"]) -> dict:
    """The columns `IMAGE` of a row: size, and the bytes in base64."""
    size = dict(zip(IMAGE, image.shape, strict=False))
    return {**size, "pixels": base64.b64encode(image.tobytes()).decode()}


def decode_image(row) -> np.ndarray:
    """The image of a row of a table: [height, width, channels] uint8."""
    shape = (int(row.height), int(row.width), int(row.channels))
    return np.frombuffer(base64.b64decode(row.pixels), np.uint8).reshape(shape)


def show_image(axis, image: UInt8[np.ndarray, "height width channels"], brightest: int) -> None:
    """Draws an image, a gray one with `brightest` as white: not every one uses all of 0 to 255."""
    is_gray = image.shape[-1] == 1
    colors = {"cmap": "gray", "vmin": 0, "vmax": brightest} if is_gray else {}
    axis.imshow(image[..., 0] if is_gray else image, interpolation="nearest", **colors)
