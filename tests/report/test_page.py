import base64
import gzip
import io

import numpy as np
import pandas as pd
import pytest

from memorize_jax.pages import page


def content(packed):
    return gzip.decompress(base64.b64decode(packed, validate=True)).decode()


def test_a_downloaded_table_is_the_table():
    table = pd.DataFrame(
        {"layer": ["a", 'b"c', "d,e", "é\n"], "value": [1.5, np.nan, -2.0, 1e-30], "count": [1, 2, 3, 4]}
    )
    pd.testing.assert_frame_equal(pd.read_csv(io.StringIO(content(page.packed_csv(table)))), table)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+cmd", "@SUM(A1)", "\tx", "\rx"])
def test_no_downloaded_text_is_a_formula(text):
    written = content(page.packed_csv(pd.DataFrame({"layer": [text], "value": [-1.0], f"{text} ": [2.0]})))
    assert written.count(f"'{text}") == 2
    assert "-1.0" in written
    assert "'-1.0" not in written


def test_a_table_that_is_too_large_is_not_carried_along(monkeypatch):
    monkeypatch.setattr(page, "MOST_CSV_BYTES", 10)
    assert page.packed_csv(pd.DataFrame({"layer": ["a" * 20]})) == ""


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.1234, "percent", "12.3\N{NO-BREAK SPACE}%"),
        (float("nan"), "percent", "–"),
        (None, ".3f", "–"),
        (1.23456, ".3f", "1.235"),
        (7.0, "d", "7"),
        (-0.5, "percent", "-50.0\N{NO-BREAK SPACE}%"),
    ],
)
def test_numbers_are_shown(value, form, text):
    assert page.shown(value, form) == text
