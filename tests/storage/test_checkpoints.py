import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from memorize_jax.storage.checkpoints import EpochStore
from memorize_jax.training import TrainState
from tests.eight_devices import trainer_steps


def variables(seed):
    kernel, bias, mean = (jax.random.normal(key, (3, 2)) for key in jax.random.split(jax.random.key(seed), 3))
    return {"params": {"linear1": {"kernel": kernel, "bias": bias[0]}}, "batch_stats": {"norm1": {"mean": mean}}}


def state(seed):
    params = variables(seed)["params"]
    tx = optax.adam(1e-3)
    opt_state = tx.init(params)
    _, opt_state = tx.update(jax.tree.map(jnp.sin, params), opt_state, params)
    return TrainState(params, variables(seed)["batch_stats"], opt_state, jnp.int32(seed))


def assert_equal_trees(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def filled_store(folder, epochs):
    with EpochStore(folder) as store:
        for epoch in epochs:
            store.save(epoch, variables(epoch), state(epoch), complete=epoch == epochs[-1])


def test_every_epoch_comes_back_bit_for_bit_as_numpy(tmp_path):
    filled_store(tmp_path, range(5))
    with EpochStore(tmp_path) as store:
        assert store.epochs() == [0, 1, 2, 3, 4]
        for epoch in (3, 0, 4, 1, 2):
            found = store.load(epoch)
            assert {type(leaf) for leaf in jax.tree.leaves(found)} == {np.ndarray}
            assert_equal_trees(found, variables(epoch))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.int32])
def test_dtypes_are_kept(tmp_path, dtype):
    saved = {"params": {"kernel": jnp.arange(6, dtype=dtype)}}
    with EpochStore(tmp_path) as store:
        store.save(0, saved, state(0), complete=True)
    with EpochStore(tmp_path) as store:
        assert store.load(0)["params"]["kernel"].dtype == dtype


def test_a_network_without_batch_statistics_gets_an_empty_dict_back(tmp_path):
    with EpochStore(tmp_path) as store:
        store.save(0, {"params": variables(0)["params"], "batch_stats": {}}, state(0), complete=True)
    with EpochStore(tmp_path) as store:
        assert_equal_trees(store.load(0), {"params": variables(0)["params"], "batch_stats": {}})


def test_a_missing_epoch_names_the_stored_ones(tmp_path):
    filled_store(tmp_path, range(2, 5))
    with (
        EpochStore(tmp_path) as store,
        pytest.raises(FileNotFoundError, match=r"no checkpoint of epoch 9 in .*; stored: 3 epochs from 2 to 4"),
    ):
        store.load(9)


def test_an_empty_store_says_so(tmp_path):
    with EpochStore(tmp_path) as store:
        assert store.epochs() == []
        assert store.load_training_state(state(0)) is None
        with pytest.raises(FileNotFoundError, match=r"no checkpoint of epoch 0 in .*; stored: none"):
            store.load(0)


def test_a_refused_save_is_an_error(tmp_path):
    filled_store(tmp_path, range(4))
    with EpochStore(tmp_path) as store, pytest.raises(RuntimeError, match="refused to save epoch 2"):
        store.save(2, variables(2), state(2), complete=False)


def test_an_empty_folder_is_not_a_checkpoint_whatever_its_name(tmp_path):
    filled_store(tmp_path, range(3))
    (tmp_path / "epochs" / "7").mkdir()
    with EpochStore(tmp_path) as store:
        assert store.epochs() == [0, 1, 2]
        with pytest.raises(FileNotFoundError, match=r"no checkpoint of epoch 7 in .*; stored: 3 epochs from 0 to 2"):
            store.load(7)


def test_the_training_state_comes_back_with_the_optimizers_own_classes(tmp_path):
    filled_store(tmp_path, range(4))
    with EpochStore(tmp_path) as store:
        epoch, found = store.load_training_state(state(0))
    assert epoch == 3
    assert isinstance(found, TrainState)
    assert_equal_trees(found, state(3))
    assert [np.asarray(leaf).dtype for leaf in jax.tree.leaves(found)] == [
        leaf.dtype for leaf in jax.tree.leaves(state(3))
    ]


def test_the_training_state_is_stored_when_asked_for(tmp_path):
    with EpochStore(tmp_path) as store:
        store.save(0, variables(0), state(0), complete=True)
        store.save(1, variables(1), state(1), complete=False)
    with EpochStore(tmp_path) as store:
        assert store.epochs() == [0, 1]
        assert store.load_training_state(state(0))[0] == 0


def test_epochs_to_be_redone_are_forgotten_and_can_be_saved_again(tmp_path):
    filled_store(tmp_path, range(5))
    with EpochStore(tmp_path) as store:
        store.forget_after(2)
        assert store.epochs() == [0, 1, 2]
        store.save(3, variables(30), state(30), complete=False)
    with EpochStore(tmp_path) as store:
        assert store.epochs() == [0, 1, 2, 3]
        assert_equal_trees(store.load(3), variables(30))


def test_one_device_reads_what_eight_wrote(eight_devices):
    expected, _ = trainer_steps()
    with EpochStore(eight_devices / "checkpoints") as store:
        assert store.epochs() == [1]
        found = store.load(1)
        epoch, restored = store.load_training_state(expected)
    written = np.load(eight_devices / "float32.npz").values()
    for leaf, saved in zip(jax.tree.leaves(found["params"]), written, strict=True):
        assert type(leaf) is np.ndarray
        np.testing.assert_array_equal(leaf, saved)
    assert epoch == 1
    assert_equal_trees(restored.params, found["params"])
    assert jax.tree.structure(restored) == jax.tree.structure(expected)
