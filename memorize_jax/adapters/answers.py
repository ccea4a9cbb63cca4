"""Which of the arrays that a network returns are its answers, one number for each class."""

import warnings
from collections.abc import Mapping, Sequence

LOGITS = "logits"
# Name -> shape.
Shapes = Mapping[str, Sequence[int]]


def answer_among(shapes: Shapes, num_classes: int | None) -> str:
    """Names the answers among what a network returns.

    Of several arrays they are the one named "logits", or else the only one [n, num_classes].

    Raises:
      ValueError: nothing is returned, or of several arrays none can be told to be the answers.
    """
    if len(shapes) == 1:
        return next(iter(shapes))
    named = [name for name in shapes if name.rpartition(".")[2] == LOGITS]
    fitting = [name for name, shape in shapes.items() if _has_width(shape, num_classes)]
    for found in (named, fitting):
        if len(found) == 1:
            return found[0]
    raise ValueError(
        f"expected one output of the network to be named {LOGITS!r}, or one alone to be {_wanted(num_classes)}, got "
        f"{_listed(shapes)}; return the logits alone, or in a dict as {LOGITS!r}"
    )


def check_last(shapes: Shapes, num_classes: int | None) -> None:
    """Raises ValueError if the last of several layers that a function returns by name are hardly its answers.

    The one named "logits" is; any other has fewer columns than there are classes, or another number than a layer before
    it that has as many.
    """
    *others, last = shapes
    if last == LOGITS or not others or num_classes is None or len(shapes[last]) != 2:
        return
    width = shapes[last][1]
    if width < num_classes or (width > num_classes and any(_has_width(shapes[name], num_classes) for name in others)):
        raise ValueError(
            f"expected the answers {_wanted(num_classes)} as the last layer, or named {LOGITS!r}, got {_listed(shapes)}"
        )


def check_answers(name: str, shape: Sequence[int], num: int, num_classes: int | None) -> None:
    """Raises ValueError unless answers to `num` inputs are [num, k], and warns if k is more than there are classes."""
    if len(shape) != 2 or shape[0] != num:
        raise ValueError(f"expected answers [n, num_classes] of the network, got {list(shape)} at {name!r}")
    if num_classes is not None and shape[1] > num_classes:
        warnings.warn(
            f"the network answers with {shape[1]} numbers for {num_classes} classes; those above the labels count as "
            "classes without examples, and if the numbers are features, the network has to return its logits instead",
            stacklevel=2,
        )


def _has_width(shape, num_classes):
    return len(shape) == 2 and shape[1] == num_classes


def _wanted(num_classes):
    return f"[n, {'num_classes' if num_classes is None else num_classes}]"


def _listed(shapes):
    return ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items()) or "no arrays"
