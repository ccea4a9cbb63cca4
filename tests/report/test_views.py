import numpy as np
import pandas as pd
import pytest
from scipy import stats

from memorize_jax.pages.views import Flags, Number, make_view, plain_view

NUMBERS = {"accuracy": Number("accuracy", "percent"), "norm": Number("norm", ".3f")}
BOUNDED = {"norm": Number("norm", ".3f", bound="sign")}


def table(num_seeds):
    rows = [
        {"seed": seed, "layer": layer, "accuracy": 0.5 + 0.1 * seed, "norm": number + seed**2}
        for seed in range(num_seeds)
        for number, layer in enumerate(("b", "a"))
    ]
    return pd.DataFrame(rows)


def texts(view):
    return [[cell.text for cell in row] for row in view.rows]


def test_one_run_is_shown_as_it_is():
    view = make_view("some", "Some", table(1), {"layer": "layer"}, NUMBERS)
    assert [head.title for head in view.headers] == ["layer", "accuracy", "norm"]
    assert [head.is_text for head in view.headers] == [True, False, False]
    assert texts(view) == [["b", "50.0\N{NO-BREAK SPACE}%", "0.000"], ["a", "50.0\N{NO-BREAK SPACE}%", "1.000"]]
    assert [cell.value for cell in view.rows[1]] == ["a", "0.5", "1.0"]
    assert (view.note, len(view.whole)) == ("", 2)


def test_several_seeds_are_means_with_students_interval():
    view = make_view("some", "Some", table(3), {"layer": "layer"}, NUMBERS, note="Here.")
    values = np.array([0.0, 1.0, 4.0])
    half = stats.t.ppf(0.995, 2) * values.std(ddof=1) / np.sqrt(3)
    assert texts(view)[0][2] == f"{values.mean():.3f} ± {half:.3f}"
    assert texts(view)[0][1].startswith("60.0 ± ")
    assert view.rows[0][2].value == repr(float(values.mean()))
    assert "99%" in view.note
    assert "3 seeds" in view.note
    assert len(view.whole) == 6


def test_what_was_not_measured_is_a_dash_that_sorts_last():
    rows = table(1)
    rows.loc[0, "norm"] = np.nan
    cell = make_view("some", "Some", rows, {"layer": "layer"}, NUMBERS).rows[0][2]
    assert cell == ("–", "")


def test_a_text_stands_in_brackets_behind_the_number_of_one_run():
    numbers = {"accuracy": Number("accuracy", "percent", beside="layer")}
    view = make_view("some", "Some", table(1), {"layer": "layer"}, numbers)
    assert texts(view)[0][1] == "50.0\N{NO-BREAK SPACE}% (b)"


def test_a_long_table_without_a_view_is_cut_and_says_so():
    view = plain_view("long", pd.concat([table(1)] * 5), most_rows=4)
    assert len(view.rows) == 4
    assert view.note == "The first 4 of 10 rows."
    assert len(view.whole) == 10


@pytest.mark.parametrize("num_seeds", [1, 3])
@pytest.mark.parametrize("layer", ["a", None])
def test_rows_that_differ_in_more_than_their_seed_are_refused(num_seeds, layer):
    """Of two starting epochs, say, there is no mean over seeds; a missing text is a text like any other."""
    rows = table(num_seeds).assign(epoch=0)
    rows["layer"] = rows["layer"].replace({"a": layer})
    again = rows[(rows["seed"] == num_seeds - 1) & (rows["layer"] != "b")].assign(epoch=9)
    rows = pd.concat([rows, again], ignore_index=True)
    expected = rf"expected one row of some for every seed and layer, got 2 for layer (a|nan), seed {num_seeds - 1}$"
    with pytest.raises(ValueError, match=expected):
        make_view("some", "Some", rows, {"layer": "layer"}, NUMBERS)
    view = make_view("some", "Some", rows, {"layer": "layer", "epoch": "epoch"}, NUMBERS)
    assert sorted(row[1].text for row in view.rows) == ["0", "0", "9"]


def test_a_mean_of_fewer_seeds_is_called_so():
    rows = table(3)
    assert "over 3 seeds." in make_view("some", "Some", rows, {"layer": "layer"}, NUMBERS).note
    rows.loc[2, "norm"] = np.nan
    for lacking in (rows, table(3).drop(index=2)):
        note = make_view("some", "Some", lacking, {"layer": "layer"}, NUMBERS).note
        assert "over 3 seeds (of 2 at least, where some lack a value)." in note
    # A number that no seed has is a dash, and no mean.
    assert "over 3 seeds." in make_view("some", "Some", rows.assign(norm=np.nan), {"layer": "layer"}, NUMBERS).note
    assert "over 3 seeds." in make_view("some", "Some", rows, {"layer": "layer"}, {}).note


@pytest.mark.parametrize(
    ("signs", "text"),
    [
        (["", "", ""], "1.667 ± 11.928"),
        (["", "≤", ""], "≤\N{NO-BREAK SPACE}1.667"),
        (["≥", "≥", "≥"], "≥\N{NO-BREAK SPACE}1.667"),
        # Neither above nor below.
        (["≥", "≤", ""], "–"),
    ],
)
def test_a_mean_with_a_bound_in_it_is_a_bound_without_an_interval(signs, text):
    """The mean of 0, 1 and 4 is 5/3; half of its interval is 9.925 s / sqrt(3) with s² = 13/3."""
    rows = table(3).assign(sign=[sign for sign in signs for _ in range(2)])
    assert texts(make_view("some", "Some", rows, {"layer": "layer"}, BOUNDED))[0][1] == text


def test_a_bound_of_one_run_has_its_sign():
    view = make_view("some", "Some", table(1).assign(sign=["≤", ""]), {"layer": "layer"}, BOUNDED)
    assert [row[1] for row in view.rows] == [("≤\N{NO-BREAK SPACE}0.000", "0.0"), ("1.000", "1.0")]


@pytest.mark.parametrize(("statuses", "expected"), [([8], "8"), ([0, 8, 0], "8"), ([1, 8, 9], "9"), ([0, 0, 0], "0")])
def test_flags_of_several_seeds_are_those_of_any(statuses, expected):
    rows = table(len(statuses)).assign(status=[status for status in statuses for _ in range(2)])
    assert texts(make_view("some", "Some", rows, {"layer": "layer"}, {"status": Flags("status")}))[0][1] == expected
