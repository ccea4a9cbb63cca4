"""Figures and tables of runs and studies, as a notebook shows them."""

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


def test_a_run_and_a_study_show_tables(smoke_run):
    run, study = memorize_jax.open_run(smoke_run), memorize_jax.open_study(smoke_run)
    shown = run._repr_html_()
    assert f"{run.metrics['test_accuracy'].iloc[-1]:.4g}" in shown
    assert run.summary().splitlines()[1] in shown
    rows = dict(re.findall(r"<td>(\w+)</td>\s*<td>(\d+)</td>", study._repr_html_()))
    assert rows == {name: str(len(table)) for name, table in study.tables.items()}
