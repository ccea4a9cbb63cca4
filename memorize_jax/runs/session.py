"""A run in training: what is open while it trains, and what is stored after every epoch."""

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pandas as pd

from memorize_jax.epochs import held_out
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.loggers import opened_loggers
from memorize_jax.runs.metrics import MetricsFile, read_restores
from memorize_jax.runs.noted import Noted
from memorize_jax.storage.checkpoints import EpochStore
from memorize_jax.training import Epoch, is_finished


class Session(NamedTuple):
    """A run whose folder is locked for training; `rows` of metrics.csv, its `file`, grow with every epoch."""

    folder: RunFolder
    noted: Noted
    store: EpochStore
    rows: list[dict]
    file: MetricsFile

    @property
    def is_finished(self) -> bool:
        """Whether no epoch is left to train."""
        return bool(self.rows) and is_finished(self.noted.config, len(self.rows) - 1, self.rows)

    @property
    def test_accuracies(self) -> list[float]:
        """Of the epochs so far, which decide whose networks are kept; see `epochs.held_out`."""
        return held_out(pd.DataFrame(self.rows, columns=["test_accuracy", "restored_accuracy"])).tolist()

    def restores(self) -> list[dict]:
        """The times the learning rate was halved, in order; see `--on_nan=restore`."""
        return read_restores(self.folder.workdir, self.noted.identity)

    def curves(self) -> contextlib.AbstractContextManager[Callable[[dict], None]]:
        """The loggers that the configuration asks for, see `opened_loggers`."""
        return opened_loggers(self.folder, self.noted, self.rows)

    def store_epoch(self, epoch: Epoch, draw: Callable[[dict], None], with_state: bool | None = None) -> bool:
        """Stores a finished epoch's network and its row, which `draw` takes too; returns whether the state is stored.

        That of the last epoch is in any case; others only if `with_state`, or, if that is None, from time to time.
        """
        if not self.folder.config.is_file():
            raise FileNotFoundError(f"{self.folder.workdir} is gone; was the run moved or deleted?")
        self.rows.append({"epoch": epoch.number, **epoch.metrics})
        complete = epoch.is_last or with_state is True
        state = epoch.state if complete or with_state is None else None
        how = {"complete": complete, "test_accuracies": self.test_accuracies}
        stored = self.store.save(epoch.number, epoch.state.variables, state, **how)
        # No state stands for an epoch without a row.
        self.file.write(at_once=stored or epoch.is_last)
        draw(self.rows[-1])
        return stored


@contextlib.contextmanager
def open_session(folder: RunFolder, noted: Noted) -> Iterator[Session]:
    """Opens the store and the metrics of a run whose folder is locked; leaving waits until everything is on disk."""
    keep, keep_dtype = noted.config.keep, noted.config.keep_dtype
    with (
        EpochStore(folder.checkpoints, keep=keep, keep_dtype=keep_dtype, identity=noted.identity) as store,
        MetricsFile(folder, noted.identity) as file,
    ):
        yield Session(folder, noted, store, file.rows, file)
