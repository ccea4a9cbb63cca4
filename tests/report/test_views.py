import numpy as np
import pandas as pd
from scipy import stats

from memorize_jax.pages.views import Number, make_view, plain_view

NUMBERS = {"accuracy": Number("accuracy", "percent"), "norm": Number("norm", ".3f")}


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
