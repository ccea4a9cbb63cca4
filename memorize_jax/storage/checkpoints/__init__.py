"""The store of every epoch's network, and of the state that resuming needs."""

from memorize_jax.storage.checkpoints.disk import bytes_needed, check_space
from memorize_jax.storage.checkpoints.folders import DamagedCheckpointError
from memorize_jax.storage.checkpoints.store import EpochStore
from memorize_jax.storage.checkpoints.stored import StoredEpochs
from memorize_jax.storage.checkpoints.trees import reached_preemption

__all__ = ["DamagedCheckpointError", "EpochStore", "StoredEpochs", "bytes_needed", "check_space", "reached_preemption"]
