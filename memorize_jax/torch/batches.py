"""What a loader yields, brought to one form: how to call the network, how many examples, of which classes."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from memorize_jax.torch.library import torch

LABELS = ("labels", "label")
MASK = "attention_mask"


class Batch(NamedTuple):
    """One batch of inputs."""

    args: tuple
    kwargs: dict
    labels: np.ndarray | None  # [b]
    mask: Any  # [b, tokens], True where a token is not padding, or None
    count: int  # b
    place: int  # of the batch in the loader


def batches_of(data: Any, batch_size: int) -> Iterator[Any]:
    """Goes through a loader, or cuts a data set, a tensor, a mapping of tensors or (inputs, labels) into batches.

    Raises:
      ValueError: what cannot be gone through.
    """
    if isinstance(data, torch.utils.data.Dataset):
        return iter(torch.utils.data.DataLoader(data, batch_size=batch_size))
    whole = _is_array(data) or isinstance(data, Mapping)
    if whole or (isinstance(data, tuple) and len(data) == 2 and all(_is_array(part) for part in data)):
        arrays = [data] if _is_array(data) else list(data.values()) if isinstance(data, Mapping) else list(data)
        sizes = sorted({len(each) for each in arrays if _is_array(each)})
        if len(sizes) > 1:
            raise ValueError(f"expected inputs and labels of as many examples, got {' and '.join(map(str, sizes))}")
        return (cut(data, start, start + batch_size) for start in range(0, sizes[0] if sizes else 0, batch_size))
    try:
        return iter(data)
    except TypeError as error:
        kind = type(data).__name__
        raise ValueError(f"expected a DataLoader, a list of batches or a tensor as loader, got {kind}") from error


def count_of(data: Any) -> int | None:
    """How many examples there are in all, where that can be known before."""
    try:
        if isinstance(data, Mapping):
            return next((len(each) for each in data.values() if _is_array(each)), None)
        if _is_array(data) or isinstance(data, torch.utils.data.Dataset):
            return len(data)
        if isinstance(data, tuple) and data and _is_array(data[0]):
            return len(data[0])
        if isinstance(data, torch.utils.data.DataLoader):
            loader: Any = data
            return len(loader.sampler if loader.batch_sampler is None else loader.batch_sampler.sampler)
    except (TypeError, AttributeError):  # streams have no length
        return None
    return None


def cut(value: Any, start: int, stop: int, count: int | None = None) -> Any:
    """The same with some examples only: every array in it, or every one of `count` rows."""
    if _is_array(value):
        return value[start:stop] if value.ndim and count in (None, len(value)) else value
    if isinstance(value, Mapping):
        return {key: cut(each, start, stop, count) for key, each in value.items()}
    if isinstance(value, tuple):
        return tuple(cut(each, start, stop, count) for each in value)
    return value


def read_batch(
    content: Any,
    place: int,
    parameters: Mapping[str, inspect.Parameter],
    *,
    label: Any,
    device: Any,
    dtype: Any,
    whole: bool = False,
) -> Batch:
    """Takes a batch apart and moves its inputs.

    Args:
      parameters: of the network's `forward`.
      label: where the classes are: "auto", None, a key or an index of the batch, or a function of it.
      dtype: that floating inputs are brought to; None leaves them.
      whole: whether the batch is left in one piece.

    Raises:
      ValueError: a batch whose parts cannot be told apart, labels that are not one for each example.
    """
    labels, inputs = _labels_and_inputs(content, place, label, whole)
    mask = None
    move = lambda value: _moved(value, device, dtype)
    if isinstance(inputs, Mapping):
        inputs = move(inputs)
        mask = inputs.get(MASK)
        takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
        known = inputs if takes_any else {key: value for key, value in inputs.items() if key in parameters}
        args, kwargs = ((), known) if known and not whole else ((inputs,), {})
    else:
        args, kwargs = move(inputs if isinstance(inputs, tuple) and not whole else (inputs,)), {}
    tensors = [each for each in _tensors((*args, kwargs)) if each.ndim]
    if not tensors:
        raise ValueError(f"batch {place}: expected tensors as inputs of the network, got {_described(content)}")
    count = len(tensors[0])
    if labels is not None and labels.shape != (count,):
        shape = list(tensors[0].shape)
        raise ValueError(
            f"batch {place}: expected one label for each of {count} examples, got labels {list(labels.shape)} for "
            f"inputs {shape}; inputs are [b, ...], label= says where the classes are, label=None that there are none"
        )
    if labels is not None and labels.dtype.kind in "fc":
        raise ValueError(f"batch {place}: expected classes as labels, got {labels.dtype}; label=None if there are none")
    return Batch(args, kwargs, labels, None if mask is None else mask.bool(), count, place)


def _tensors(value: Any) -> Iterator[Any]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list, Mapping)):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _tensors(each)


def _labels_and_inputs(content: Any, place, label, whole) -> tuple[np.ndarray | None, Any]:
    if isinstance(label, Callable):
        return _as_labels(label(content)), content if whole else _inputs(content, place)
    if isinstance(content, Mapping):
        key = next((each for each in LABELS if each in content), None) if label == "auto" else label
        if key is not None and key not in content:
            raise ValueError(
                f"batch {place}: expected a key {key!r} for the labels, got {', '.join(map(str, content))}"
            )
        rest = {each: value for each, value in content.items() if each not in (*LABELS, key)}
        return _as_labels(None if key is None else content[key]), rest
    if isinstance(content, (tuple, list)):
        if label == "auto":
            label = 1 if len(content) == 2 else None
        if label is None:
            return None, content if whole else _inputs(content, place)
        if not isinstance(label, int) or not -len(content) <= label < len(content):
            raise ValueError(f"batch {place}: expected label to be an index of {_described(content)}, got {label!r}")
        return _as_labels(content[label]), content if whole else _inputs(content, place)
    return None, content


def _inputs(content, place):
    """The part of a batch that goes into the network."""
    if not isinstance(content, (tuple, list)):
        return content
    if len(content) not in (1, 2):
        raise ValueError(
            f"batch {place}: expected inputs, or (inputs, labels), got {_described(content)}; say label=1, say, and "
            "call=lambda model, batch: model(batch[0])"
        )
    return tuple(content[0]) if isinstance(content[0], list) else content[0]


def _as_labels(labels: Any) -> np.ndarray | None:
    if labels is None:
        return None
    return labels.detach().cpu().numpy() if isinstance(labels, torch.Tensor) else np.asarray(labels)


def _is_array(value: Any) -> bool:
    return isinstance(value, (torch.Tensor, np.ndarray))


def _moved(value: Any, device: Any, dtype: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return _moved(torch.from_numpy(np.ascontiguousarray(value)), device, dtype)
    if isinstance(value, Mapping):
        return {key: _moved(each, device, dtype) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return tuple(_moved(each, device, dtype) for each in value)
    if not isinstance(value, torch.Tensor):
        return value
    tensor: Any = value
    return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)


def _described(content):
    one = lambda part: (
        f"{str(part.dtype).removeprefix('torch.')} {list(part.shape)}" if _is_array(part) else (type(part).__name__)
    )
    if isinstance(content, (tuple, list)):
        return f"{type(content).__name__} of {len(content)}: {', '.join(map(one, content[:6]))}"
    if isinstance(content, Mapping):
        return f"mapping of {', '.join(f'{key}: {one(value)}' for key, value in content.items())}"
    return one(content)
