"""Results as tables, which a notebook shows where they end a cell."""

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

# Of a longer array the range is shown.
MOST = 8


def by_layer(heading: str, numbers: Mapping[str, Any], layers: Sequence[str] | None) -> str:
    """A row for each layer, or one where there is no axis of layers, as HTML.

    Raises:
      ValueError: the numbers have other axes, or are none yet, as inside jit.
    """
    # Here, for the geometry alone needs no pandas.
    import pandas as pd

    columns = {name: np.atleast_1d(np.asarray(values)) for name, values in numbers.items()}
    index = pd.Index(layers or ("",), name="layer")
    if any(values.shape != index.shape for values in columns.values()):
        raise ValueError(f"expected numbers of {len(index)} layers, got {[np.shape(own) for own in columns.values()]}")
    return f"<p>{html.escape(heading)}</p>{pd.DataFrame(columns, index=index).to_html(float_format='{:.4g}'.format)}"


def by_field(result: Any) -> str:
    """A row for each field of a NamedTuple, those of results within it too, as HTML: its number, numbers or range."""
    rows = "".join(f"<tr><th>{name}</th><td>{html.escape(said)}</td></tr>" for name, said in _fields(result))
    return f"<p>{type(result).__name__}</p><table><tbody>{rows}</tbody></table>"


def _fields(result, above="") -> Iterator[tuple[str, str]]:
    for name, value in result._asdict().items():
        if hasattr(value, "_asdict"):
            yield from _fields(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", _said(value)


def _said(value):
    try:
        numbers = np.asarray(value)
    except Exception:  # what stands for an array inside jit has no numbers
        return str(value)
    if numbers.dtype.kind not in "biuf":
        return str(value)
    if numbers.ndim < 2 and numbers.size <= MOST:
        return ", ".join(f"{number:.4g}" for number in np.atleast_1d(numbers))
    known = numbers[np.isfinite(numbers)]
    ends = f"{known.min():.4g} to {known.max():.4g}" if known.size else "nan"
    return f"{ends}, shape {numbers.shape}"
