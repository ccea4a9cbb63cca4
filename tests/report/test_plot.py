"""Figures and tables of runs and studies, as a notebook shows them."""

import html
import re

import pytest

import memorize_jax


def test_a_figure_is_returned_or_written(smoke_run, tmp_path):
    study = memorize_jax.open_study(smoke_run)
    figure = memorize_jax.plot(study, "fig2a")
    drawn = {line.get_label() for axis in figure.axes for line in axis.get_lines()}
    assert any("test" in label for label in drawn)
    # The folder says as much as the study.
    assert memorize_jax.plot(smoke_run, "fig2a", tmp_path / "a.png") == tmp_path / "a.png"
    assert (tmp_path / "a.png").stat().st_size > 0
    with pytest.raises(ValueError, match=r"expected a figure among fig1a, .*, got 'fig9'"):
        memorize_jax.plot(study, "fig9")
    with pytest.raises(ValueError, match=r"expected what fig4c is drawn from in .*: needs networks of several widths"):
        memorize_jax.plot(study, "fig4c")


def test_the_chart_of_a_report_is_returned(smoke_run, tmp_path):
    study = memorize_jax.open_study(smoke_run)
    shown = memorize_jax.explore(study)
    drawn = shown.chart.to_dict()
    # Every place where geometry was measured, but the output, is in it, and a slider goes through the epochs.
    geometry = study.tables["geometry"]
    hidden = geometry[geometry["layer"] != study.layers[-1]]
    rows = [row for row in drawn["datasets"]["places"] if "joint" in row]
    there = {(row["layer"], row["epoch"], row["group"]) for row in rows}
    assert there == set(hidden[["layer", "epoch", "group"]].itertuples(index=False, name=None))
    (slider,) = [one for one in drawn["params"] if one.get("bind", {}).get("input") == "range"]
    assert slider["bind"]["max"] == geometry["epoch"].nunique() - 1
    assert memorize_jax.explore(smoke_run).chart.to_dict()["datasets"] == drawn["datasets"]
    # The page, and the frame in a notebook, hold it with its scripts.
    page = shown.save(tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"<script[^>]* src=", page)
    assert shown._repr_html_().startswith('<iframe srcdoc="')
    assert html.unescape(shown._repr_html_()).count(study.layers[0]) == page.count(study.layers[0]) > 0
    without = study._replace(tables={"metrics": study.tables["metrics"]})
    with pytest.raises(ValueError, match=r"got tables metrics; measure it with: .*geometry --workdir="):
        memorize_jax.explore(without)


def test_a_run_and_a_study_show_tables(smoke_run):
    run, study = memorize_jax.open_run(smoke_run), memorize_jax.open_study(smoke_run)
    shown = run._repr_html_()
    assert f"{run.metrics['test_accuracy'].iloc[-1]:.4g}" in shown
    assert run.summary().splitlines()[1] in shown
    rows = dict(re.findall(r"<td>(\w+)</td>\s*<td>(\d+)</td>", study._repr_html_()))
    assert rows == {name: str(len(table)) for name, table in study.tables.items()}
