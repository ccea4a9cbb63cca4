"""What an analysed layer is, and the tables of them."""

from typing import NamedTuple

AFTER_RELU = "after ReLU"
AFTER_POOLING = "after ReLU and pooling"
AFTER_BATCH_NORM = "after BatchNorm and ReLU"
AFTER_ADDITION = "after BatchNorm, the addition of the skip connection and ReLU"
LOGITS = "logits"


class Layer(NamedTuple):
    """A layer whose representation is analysed.

    Attributes:
      name: kind and number, e.g. "conv16"; its parameters are stored under it, its BatchNorm under `<name>_bn`, and
        its activation is sown as `<name>_out`.
      number: of the row in the paper's table (appendix A.10), which counts pooling layers and skip convolutions too.
      tap: what is sown.
    """

    name: str
    number: int
    tap: str


def layer(kind: str, number: int, tap: str) -> Layer:
    """Makes the Layer in row `number` of the paper's table."""
    return Layer(f"{kind}{number}", number, tap)
