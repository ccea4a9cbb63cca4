"""What of a run may change when it is resumed: which networks stay, and the reader's own code."""

import importlib
import sys

import pandas as pd
import pytest

from memorize_jax.epochs import kept_epochs
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.noted import read_config, read_noted, write_config
from memorize_jax.runs.run import run_to_measure
from tests.reliability.begun import stored_in, train_in
from tests.training.test_loop import SPLITS


@pytest.mark.parametrize(
    ("line", "asked", "keep", "said"),
    [
        ("--preset=smoke", "best,last", "all", "goes on storing networks with --keep=all, as so far"),
        ("--keep_dtype=float32", "best,last", "all", "goes on storing networks with --keep=all, as so far"),
        ("--keep=best,last", "best,last", "best,last", "stored networks are removed, which --keep=all"),
        ("--keep best,last", "best,last", "best,last", "stored networks are removed, which --keep=all"),
        ("--preset=smoke", "all", "all", ""),
        (None, "best,last", "all", "goes on storing networks with --keep=all, as so far"),
    ],
)
def test_stored_networks_are_only_removed_where_the_command_line_says_so(
    copy, monkeypatch, capsys, line, asked, keep, said
):
    """Else a flag that is not given again, whose place a preset's value takes, would cost the networks."""
    monkeypatch.setattr("sys.argv", ["pytest"] if line is None else ["python -m experiments.train", *line.split()])
    train_in(copy.workdir, keep=asked)
    lines = [one for one in capsys.readouterr().err.splitlines() if one.startswith("warning")]
    assert [said in one for one in lines] == [True] * bool(said)
    best_and_last = sorted(kept_epochs("best,last", pd.read_csv(copy.metrics)["test_accuracy"].tolist()).full)
    assert stored_in(copy.workdir) == (list(range(7)) if keep == "all" else best_and_last)
    if keep == "best,last":
        assert f" {7 - len(best_and_last)} stored networks" in lines[0]
    assert read_config(copy).keep == keep


def test_a_choice_of_networks_that_removes_none_counts_from_python_too(tmp_path):
    train_in(tmp_path, keep="best,last", epochs=3)
    assert stored_in(train_in(tmp_path, keep="every:2", epochs=3).workdir)[0] == 0
    assert read_config(RunFolder(tmp_path)).keep == "every:2"
    train_in(tmp_path, keep="every:2", keep_dtype="bfloat16", epochs=3)
    assert read_config(RunFolder(tmp_path)).keep_dtype == "float32"


def test_a_reader_s_own_code_that_was_edited_does_not_train_a_run_further(tmp_path, monkeypatch, capsys):
    code = "import jax.numpy as jnp\n\n\ndef loss(logits, labels):\n    return jnp.mean(logits**2, -1)\n"
    module, name = tmp_path / "my_edited_loss.py", "my_edited_loss:loss"
    module.write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    run = train_in(tmp_path / "run", loss=name, epochs=1)
    assert list(read_noted(run).own_code) == ["my_edited_loss"]
    train_in(run.workdir, loss=name, epochs=2)
    module.write_text(code.replace("**2", "**4"))
    importlib.reload(sys.modules["my_edited_loss"])
    with pytest.raises(ValueError, match=r"holds a run that was trained with another my_edited_loss: it was edited"):
        train_in(run.workdir, loss=name, epochs=3)
    said = "was trained with another my_edited_loss: it was edited since, and is measured as it is now"
    with run_to_measure(run.workdir, SPLITS):
        assert capsys.readouterr().err.count(said) == 1
    # A run of an earlier version says nothing of the code.
    write_config(run, read_noted(run).config, read_noted(run)._replace(own_code=None))
    train_in(run.workdir, loss=name, epochs=3)
    assert len(pd.read_csv(run.metrics)) == 4
