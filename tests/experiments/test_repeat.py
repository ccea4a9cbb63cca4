"""The commands that make a study again: those that were noted, word for word."""

import pytest

from memorize_jax.commands.report import commands
from memorize_jax.config import RunConfig
from memorize_jax.runs.folder import Run
from memorize_jax.runs.noted import Noted, write_config
from memorize_jax.runs.notes import note_tables


def made(workdir, *, trained, measured=()):
    """A run of which only the notes are left."""
    folder = Run(workdir)
    write_config(folder, RunConfig(), Noted(RunConfig(), commands=trained))
    for step, command in measured:
        about = {"settings": {}, "identity": None, "seconds": 1.0, "provenance": {}}
        note_tables(folder, step, (), command=command, **about)
    return commands(workdir)


def test_what_was_noted_is_given_in_order_and_the_report_last(tmp_path):
    train, more, measure = (f"python -m experiments.{rest}" for rest in ("train --epochs=3", "train", "geometry"))
    lines = made(tmp_path / "my run", trained=[train, more], measured=[("geometry", measure), ("decoding", measure)])
    assert lines == [train, more, measure, f"python -m experiments.report --workdir='{tmp_path}/my run'"]


def test_reproduce_makes_all_in_one_line(tmp_path):
    line = "python -m experiments.reproduce --preset=digits"
    assert made(tmp_path, trained=[line], measured=[("geometry", line), ("decoding", line)]) == [line]


def test_the_members_of_an_ensemble_were_made_by_one_command(tmp_path):
    line = "python -m experiments.train --seeds=0-1"
    for seed in (0, 1):
        made(tmp_path / f"seed_{seed}", trained=[line])
    assert commands(tmp_path) == [line, f"python -m experiments.report --workdir={tmp_path}"]


def test_nothing_is_invented_where_nothing_was_noted(tmp_path):
    assert made(tmp_path, trained=[]) == []


@pytest.mark.parametrize("text", ["[]", "{", "", '{"geometry": 3}', '{"geometry": {"tables": {}}}'])
def test_a_damaged_note_is_an_error_by_name(tmp_path, text):
    made(tmp_path, trained=[])
    (Run(tmp_path).results).mkdir()
    (Run(tmp_path).results / "made.json").write_text(text)
    with pytest.raises(ValueError, match=r"made\.json is damaged"):
        commands(tmp_path)
