"""What a notebook shows of results."""

import dataclasses
import html
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memorize_jax import geometry
from memorize_jax.geometry.notebook import by_field, by_layer

# Two layers of three classes, with other numbers in every field.
LAYERS = ("first <1>", "second")


def made_up():
    fields = [
        field.name for field in dataclasses.fields(geometry.JointGeometry) if field.name not in ("layers", "classes")
    ]
    shape = lambda name: (2, 3) if name in geometry.JointGeometry.PER_MANIFOLD else (2,)
    numbers = {name: place + 0.25 + np.arange(np.prod(shape(name))) for place, name in enumerate(fields)}
    values = {name: jnp.asarray(own.reshape(shape(name)), jnp.float32) for name, own in numbers.items()}
    return geometry.JointGeometry(**values, layers=LAYERS)


def read(text):
    """The cells of the one table in a text."""
    rows = re.findall(r"<tr.*?</tr>", text, flags=re.DOTALL)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.DOTALL) for row in rows]


def test_a_result_of_layers_is_a_row_each():
    result = made_up()
    header, _, *rows = read(result._repr_html_())
    assert header[1:] == list(result.summary())
    assert [html.unescape(row[0]) for row in rows] == list(LAYERS)
    for place, row in enumerate(rows):
        expected = [float(values[place]) for values in result.summary().values()]
        np.testing.assert_allclose([float(cell) for cell in row[1:]], expected, rtol=1e-3)
    # One layer of it is one row.
    assert len(read(result["second"]._repr_html_())) == 3
    assert html.escape(repr(result)) in result._repr_html_()


def test_what_has_no_numbers_yet_is_shown_as_text():
    shown = []
    jax.jit(lambda result: shown.append(result._repr_html_()) or result.capacity)(made_up())
    text = f"JointGeometry(layers={LAYERS}, classes=None: no concrete numbers)"
    assert shown == [f"<p>{html.escape(text)}</p>"]
    with pytest.raises(ValueError, match=r"expected numbers of 2 layers, got \[\(3,\)\]"):
        by_layer("", {"capacity": np.zeros(3)}, ("a", "b"))


def test_a_record_is_a_row_for_each_field():
    found = geometry.ParticipationRatio(jnp.float32(2.5), jnp.float32(7.125), jnp.int32(0))
    assert read(by_field(found)) == [*(["plain", "2.5"], ["corrected", "7.125"], ["status", "0"])]
    assert found._repr_html_() == by_field(found)
    structure = geometry.CenterStructure(np.eye(4), np.int32(2), np.float32(0.5), np.float32(np.nan), np.arange(3))
    assert read(structure._repr_html_()) == [
        *(["coefficients", "0 to 1, shape (4, 4)"], ["num_components", "2"], ["center_correlation", "0.5"]),
        *(["residual_correlation", "nan"], ["cost", "0, 1, 2"], ["neighbors", "None"]),
    ]
    within = geometry.LayerParticipation(found, found)
    assert [row[0] for row in read(within._repr_html_())][:2] == ["together.plain", "together.corrected"]


def test_every_record_that_is_published_shows_itself():
    records = [one for name in geometry.__all__ if hasattr(one := getattr(geometry, name), "_fields")]
    assert len(records) > 6
    assert [one for one in records if not hasattr(one, "_repr_html_")] == []
