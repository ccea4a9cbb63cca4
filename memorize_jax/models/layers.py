"""What an analyzed layer is."""

import re
from collections.abc import Sequence
from typing import NamedTuple

AFTER_RELU = "after ReLU"
AFTER_POOLING = "after ReLU and pooling"
AFTER_BATCH_NORM = "after BatchNorm and ReLU"
AFTER_ADDITION = "after BatchNorm, the addition of the skip connection and ReLU"
LOGITS = "logits"
# Kinds of layers that names tell: "conv16", "features/Conv_2"; "linear3", "Dense_1", "head.fc". Blocks, as
# "denseblock1", are of neither.
CONVOLUTION, LINEAR = "conv", "linear"
_CONVOLUTION, _LINEAR = re.compile(r"conv", re.IGNORECASE), re.compile(r"(linear|dense|fc)[\W_]*\d*", re.IGNORECASE)


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


def kind_of(name: str) -> str:
    """The kind of a layer, `CONVOLUTION` or `LINEAR`, by the last part of its name; "" where that tells none."""
    own = re.split(r"[/.]", name)[-1]
    return CONVOLUTION if _CONVOLUTION.match(own) else LINEAR if _LINEAR.fullmatch(own) else ""


def last_convolution(hidden: Sequence[str]) -> str:
    """The last convolution of the hidden layers by their names; the last hidden layer where names do not tell it.

    They tell it where all layers behind it are linear ones by their names: of "conv1", "block1", "block2" the blocks
    may hold convolutions.
    """
    convolutions = [name for name in hidden if kind_of(name) == CONVOLUTION]
    if not convolutions or any(kind_of(name) != LINEAR for name in hidden[hidden.index(convolutions[-1]) + 1 :]):
        return hidden[-1]
    return convolutions[-1]


def convolutions_of(hidden: Sequence[str]) -> list[str]:
    """The convolutions among the hidden layers by their names; none where the name of a layer tells no kind."""
    kinds = [kind_of(name) for name in hidden]
    return [name for name, kind in zip(hidden, kinds, strict=True) if kind == CONVOLUTION] if all(kinds) else []
