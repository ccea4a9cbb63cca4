import random
import shutil

import pytest

from memorize_jax import data
from memorize_jax.runs.folder import RunFolder
from memorize_jax.storage.checkpoints import DamagedCheckpointError, EpochStore
from tests.reliability.damage import damage_all
from tests.reliability.flips import flip_all
from tests.storage.test_checkpoints import assert_equal_trees, fill, filled_store, state, variables

KERNEL = "params.linear1.kernel"


def test_every_damage_to_every_kind_of_file_is_noticed_by_epoch_and_name(tmp_path):
    filled_store(RunFolder(tmp_path).checkpoints, range(4))
    counts, missed = damage_all(tmp_path, count=20, rng=random.Random(0))
    assert missed == []
    assert set(counts.values()) == {20}


def test_a_damaged_leaf_is_named_and_does_not_keep_another_layer_from_being_read(tmp_path):
    filled_store(tmp_path, range(2))
    path = tmp_path / "epochs" / "1" / KERNEL / "0.0"
    content = path.read_bytes()
    short = r"leaf params\.linear1\.kernel, file 0\.0 has 5 bytes instead of 24"
    for changed, said in (
        (content[:5], short),
        (content[:7] + bytes([content[7] ^ 1]) + content[8:], r"linear1\.kernel"),
        (content + b"x", r"linear1\.kernel"),
        (b"", r"linear1\.kernel"),
        (None, r"leaf params\.linear1\.kernel, file 0.0 is"),
    ):
        path.unlink()
        if changed is not None:
            path.write_bytes(changed)
        with EpochStore(tmp_path) as store:
            for load in (store.load, lambda epoch, store=store: store.load_layers(epoch, ["linear1"])):
                with pytest.raises(DamagedCheckpointError, match=f"epoch 1 is damaged: .*{said}"):
                    load(1)
            expected = {"params": {}, "batch_stats": variables(1)["batch_stats"]}
            assert_equal_trees(store.load_layers(1, ["norm1"]), expected)
            with pytest.raises(KeyError, match="epoch 1 has no layer linear7"):
                store.load_layers(1, ["linear7"])
        path.touch()


def test_a_copy_of_another_epoch_is_not_taken_for_it_and_a_damaged_training_state_is_passed_over(tmp_path):
    with EpochStore(tmp_path) as store:
        fill(store, range(2), complete=range(2))
    (tmp_path / "epochs" / "1").rename(tmp_path / "epochs" / "5")
    (tmp_path / "resume" / "1" / "seal.json").write_text("")
    said = []
    with EpochStore(tmp_path) as store:
        with pytest.raises(DamagedCheckpointError, match="it is a copy of epoch 1"):
            store.load(5)
        epoch, found = store.load_training_state(state(0), on_damage=said.append)
    assert epoch == 0
    assert_equal_trees(found, state(0))
    assert "the training state of epoch 1 is damaged: its seal.json has changed" in said[0]


def test_networks_that_should_be_there_and_are_not_are_listed(tmp_path):
    accuracies = [0.1, 0.5, 0.2, 0.3]
    with EpochStore(tmp_path) as store:
        fill(store, range(4))
        assert store.faults(accuracies, finished=True) == {}
        (tmp_path / "epochs" / "2" / "seal.json").unlink()
        (tmp_path / "epochs" / "1").rename(tmp_path / "notes")
        assert list(store.faults(accuracies, finished=True)) == [1, 2]
        store.rewrite(1, variables(1), test_accuracies=accuracies)
        store.rewrite(2, variables(2), test_accuracies=accuracies)
        assert store.faults(accuracies, finished=True) == {}
        assert_equal_trees(store.load(1)["params"], variables(1)["params"])


def test_no_flipped_bit_of_a_run_is_read_as_if_nothing_were(tmp_path, smoke_run):
    shutil.copytree(smoke_run, tmp_path / "run")
    found = flip_all(tmp_path / "run", data.load("digits"), count=3, rng=random.Random(0))
    assert len(found) >= 12
    assert found["silent"].sum() == found["traceback"].sum() == 0, found
