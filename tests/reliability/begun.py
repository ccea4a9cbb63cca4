"""Runs of a few epochs in this process, which are then disturbed."""

from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.train import train_run
from memorize_jax.storage.checkpoints import EpochStore
from tests.training.test_loop import LABELS, SPLITS, changed


def train_in(workdir, **options):
    train_run(workdir, changed(**options), (SPLITS, LABELS))
    return RunFolder(workdir)


def stored_in(workdir):
    with EpochStore(RunFolder(workdir).checkpoints) as stored:
        return stored.epochs()
