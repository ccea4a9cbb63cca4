"""The networks that a run has stored, by epoch."""

import contextlib
import functools
import pathlib
from collections.abc import Callable, Iterable, Iterator

from memorize_jax.progress import warn
from memorize_jax.storage.checkpoints import DamagedCheckpointError, StoredEpochs


class DamagedNetworkError(ValueError):
    """The network of an epoch is damaged or missing; the message says what repairs it."""


class StoredNetworks:
    """Reads networks: params and batch_stats with NumPy leaves.

    Args:
      workdir: of the run, for messages.
      store: of its checkpoints.
      keep: which epochs the run keeps, as its setting says it.
      epochs: gives those epochs; asked when a network cannot be read.
    """

    def __init__(self, workdir: pathlib.Path, store: StoredEpochs, keep: str, epochs: Callable[[], list[int]]):
        self._workdir, self._store, self._keep, self._epochs = workdir, store, keep, epochs
        # Two, for the final network is often compared with another one.
        self._load = functools.lru_cache(maxsize=2)(store.load)

    def of(self, epoch: int) -> dict:
        """The network of an epoch; raises DamagedNetworkError."""
        with self._sound(epoch):
            return self._load(epoch)

    def layers_of(self, epoch: int, names: Iterable[str]) -> dict:
        """Some modules of an epoch's network, without reading the others; raises DamagedNetworkError."""
        with self._sound(epoch):
            return self._store.load_layers(epoch, names)

    def checksum(self, epoch: int) -> str:
        """Of the network of an epoch as it was written, without reading it; raises DamagedNetworkError."""
        with self._sound(epoch):
            return self._store.checksum(epoch)

    def each(self, epochs: Iterable[int], *, skip_damaged: bool) -> Iterator[tuple[int, dict]]:
        """(epoch, its network), one after the other; raises DamagedNetworkError, or warns and goes on."""
        for epoch in epochs:
            try:
                network = self.of(epoch)
            except DamagedNetworkError as error:
                if not skip_damaged:
                    raise
                warn(f"{error}; skipped")
                continue
            yield epoch, network

    @contextlib.contextmanager
    def _sound(self, epoch: int) -> Iterator[None]:
        try:
            yield
        except (DamagedCheckpointError, FileNotFoundError) as error:
            if epoch not in self._epochs():
                there = f"expected an epoch whose network {self._workdir} keeps (keep={self._keep}), got {epoch}"
                raise DamagedNetworkError(f"{there}; best and final are always there") from error
            advice = "the command that trained the run repairs it, --skip_damaged measures without it"
            raise DamagedNetworkError(f"{error}; {advice}") from error
