"""What an analyzed layer is."""

from typing import NamedTuple

AFTER_RELU = "after ReLU"
AFTER_POOLING = "after ReLU and pooling"
AFTER_BATCH_NORM = "after BatchNorm and ReLU"
AFTER_ADDITION = "after BatchNorm, the addition of the skip connection and ReLU"
LOGITS = "logits"


class Layer(NamedTuple):
    """A layer whose representation is analyzed.

    Attributes:
      name: kind and number, e.g. "conv16"; see `network.Network` for what is stored under it.
      number: of the row in the paper's table (appendix A.10), which counts pooling layers and skip convolutions too.
      recorded: where in the layer its activation is recorded.
      skip: name of the convolution on the skip connection that is added before that, None if there is none.
      held: names of the modules that make it, of a network of another library, where they do not follow from its name.
    """

    name: str
    number: int
    recorded: str
    skip: str | None = None
    held: tuple[str, ...] | None = None

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of the modules that make this layer's representation out of those before it: the layer group.

        Every parameter of a network belongs to exactly one group. Not every network has each of these modules.
        """
        if self.held is not None:
            return self.held
        own = (self.name, norm_name(self.name))
        return own if self.skip is None else (*own, self.skip, norm_name(self.skip))


def layer(kind: str, number: int, recorded: str, *, skip: str | None = None) -> Layer:
    """Makes the Layer in row `number` of the paper's table."""
    return Layer(f"{kind}{number}", number, recorded, skip)


def norm_name(name: str) -> str:
    """The name of a layer's BatchNorm."""
    return f"{name}_bn"
