"""Damaged epochs are trained again: stored where they are what they were, left where training takes another course."""

import shutil

import jax
import numpy as np
import pandas as pd

from memorize_jax.runs.noted import read_noted
from memorize_jax.storage.checkpoints import EpochStore
from memorize_jax.training import Trainer
from tests.reliability.begun import stored_in, train_in
from tests.reliability.outcome import differences, outcome


def test_damaged_epochs_are_repaired_and_nothing_else_changes(copy, undisturbed, capsys):
    epochs = copy.checkpoints / "epochs"
    path = epochs / "2" / "params.linear3.kernel" / "0.0"
    path.write_bytes(b"\0" + path.read_bytes()[1:])
    shutil.rmtree(epochs / "1")
    untouched = (epochs / "3" / "_CHECKPOINT_METADATA").read_bytes()
    (copy.checkpoints / "resume" / "6" / "step" / "0").write_bytes(b"1234")
    train_in(copy.workdir)
    assert differences(outcome(copy.workdir), outcome(undisturbed)) == []
    assert (epochs / "3" / "_CHECKPOINT_METADATA").read_bytes() == untouched
    said = capsys.readouterr().err
    assert "the training state of epoch 6 is damaged: leaf step, file 0 has changed" in said
    assert "epoch 1 is missing" in said
    assert "epoch 2 is damaged: leaf params.linear3.kernel, file 0.0 has changed" in said


def test_a_network_that_training_does_not_make_again_is_not_stored_in_its_place(copy, undisturbed, monkeypatch, capsys):
    """As on another number of devices: from epoch 2 on training takes another course."""

    def elsewhere(trainer, state, number, on_step):
        state = run_epoch(trainer, state, number, on_step)
        return state._replace(params=jax.tree.map(lambda leaf: leaf * 1.5, state.params)) if number == 2 else state

    run_epoch, epochs = Trainer.run_epoch, copy.checkpoints / "epochs"
    metrics_before = copy.metrics.read_bytes()
    for epoch in (1, 4, 5):
        shutil.rmtree(epochs / str(epoch))
    monkeypatch.setattr(Trainer, "run_epoch", elsewhere)
    train_in(copy.workdir)
    said = capsys.readouterr().err
    (line,) = (line for line in said.splitlines() if "not repaired" in line)
    assert "not repaired: epoch 4, 5, for here training takes another course (epoch 2: loss " in line
    assert "devices and with the versions" in line
    assert stored_in(copy.workdir) == [0, 1, 2, 3, 6]
    assert copy.metrics.read_bytes() == metrics_before
    # Where it was trained it is repaired to the same bits still.
    monkeypatch.setattr(Trainer, "run_epoch", run_epoch)
    assert differences(outcome(train_in(copy.workdir).workdir), outcome(undisturbed)) == []


def test_another_course_with_the_same_metrics_is_known_by_the_networks_that_are_stored(copy, capsys):
    accuracies = pd.read_csv(copy.metrics)["test_accuracy"].tolist()
    with EpochStore(copy.checkpoints, identity=read_noted(copy).identity) as stored:
        other = stored.load(2)
        other["params"]["linear1"]["bias"] = np.nextafter(other["params"]["linear1"]["bias"], np.float32(1))
        stored.rewrite(2, other, test_accuracies=accuracies)
    # However damaged, its manifest says what it was.
    (copy.checkpoints / "epochs" / "2" / "params.linear1.bias" / "0").write_bytes(b"")
    shutil.rmtree(copy.checkpoints / "epochs" / "4")
    train_in(copy.workdir)
    assert "epoch 2, 4, for here training takes another course (epoch 2: other weights than" in capsys.readouterr().err
    assert stored_in(copy.workdir) == [0, 1, 2, 3, 5, 6]
