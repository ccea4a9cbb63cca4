"""A training run, opened: what it says about itself, its data, labels, metrics, networks and tables."""

import contextlib
import dataclasses
import functools
import html
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import pandas as pd

from memorize_jax import data, models
from memorize_jax.activations import INPUT
from memorize_jax.adapters import WatchedNetwork
from memorize_jax.config import RunConfig
from memorize_jax.data import ChannelStatistics, PermutedLabels, Splits
from memorize_jax.epochs import best_epoch, final_epoch, held_out, kept_epochs, select_epochs
from memorize_jax.invocation import command_line_of
from memorize_jax.models import Layer
from memorize_jax.progress import warn
from memorize_jax.runs.folder import RunFolder, check_writable
from memorize_jax.runs.labels import read_labels
from memorize_jax.runs.metrics import read_metrics, read_restores
from memorize_jax.runs.networks import StoredNetworks
from memorize_jax.runs.noted import Noted, check_same_data, read_noted
from memorize_jax.runs.notes import check_table, step_of
from memorize_jax.runs.others import other_folder
from memorize_jax.runs.provenance import edited_code, library_version, own_code, provenance
from memorize_jax.runs.watched import evaluate_watched, read_network, read_watched
from memorize_jax.storage.checkpoints import StoredEpochs
from memorize_jax.storage.lock import locked
from memorize_jax.storage.tables import read_table
from memorize_jax.training import Trainer

# What numbers depend on of jax's settings.
OF_NUMBERS = ("enable_x64", "default_matmul_precision", "default_prng_impl", "threefry_partitionable")
# Tables in results/ that are made of others.
NOT_MEASURED = ("claims", "over_seeds")


@dataclasses.dataclass(frozen=True)
class Run:
    """A run, opened by `open_run`; everything is read when it is first asked for, and once.

    Attributes:
      skip_damaged: whether `networks` passes over those that are damaged or missing.
      watched: the network of a run that was watched, where it is at hand; else it is made by what config.json names.
    """

    folder: RunFolder
    noted: Noted
    skip_damaged: bool = False
    watched: WatchedNetwork | None = None

    def __repr__(self):
        config, network = self.config, self.noted.network
        what = (
            f"{config.model} on {config.dataset}" if network is None else f"a network of {network['library']}, watched"
        )
        return f"Run({str(self.folder.workdir)!r}: {what}, seed {config.seed})"

    def _repr_html_(self) -> str:
        try:
            shown, about = self.metrics.set_index("epoch"), self.summary().replace("\n", "; ")
        except (FileNotFoundError, ValueError):
            # Nothing is trained yet.
            return f"<p>{html.escape(repr(self))}</p>"
        epochs = sorted({int(shown.index[0]), self.best_epoch, self.final_epoch})
        return f"<p>{html.escape(about)}</p>{shown.loc[epochs].to_html(float_format='{:.4g}'.format)}"

    @property
    def workdir(self) -> pathlib.Path:
        """Its folder."""
        return self.folder.workdir

    @property
    def config(self) -> RunConfig:
        """What defines its training."""
        return self.noted.config

    @property
    def provenance(self) -> list[dict]:
        """Versions, devices and commits that took part in its training."""
        return list(self.noted.provenance)

    @functools.cached_property
    def metrics(self) -> pd.DataFrame:
        """A row for every epoch: loss and accuracies."""
        return read_metrics(self.workdir, self.noted.identity)

    @functools.cached_property
    def labels(self) -> PermutedLabels:
        """Training labels, true and assigned, compared with the run that they belong to."""
        return read_labels(self.folder, self.noted)

    @functools.cached_property
    def splits(self) -> Splits:
        """Its data, compared with those that it was trained on."""
        config = self.config
        if config.is_watched:
            splits = read_watched(self.folder)
        else:
            sizes = {"num_train": config.num_train, "image_size": config.image_size}
            splits = data.load(config.dataset, data_dir=config.data_dir, **sizes)
        check_same_data(self.folder, self.noted, splits, self.labels)
        return splits

    @functools.cached_property
    def statistics(self) -> ChannelStatistics | None:
        """Of the training images; they bring images to the range that the network expects, None if it takes them so."""
        if self.config.is_watched:
            return None
        return data.channel_statistics(self.splits.train.images, self.config.scaling)

    @property
    def analyzed_layers(self) -> tuple[Layer, ...]:
        """The analyzed layers in order; the last gives the answer."""
        return self.noted.layers

    @property
    def layers(self) -> dict[str, int]:
        """Name -> number in the paper's table, of the input and of every analyzed layer."""
        return {INPUT: 0, **{layer.name: layer.number for layer in self.analyzed_layers}}

    def open_other(self, workdir: str | pathlib.Path) -> "Run":
        """Opens another run, of an ensemble that of the same seed; raises ValueError unless it has the same data."""
        other = open_run(other_folder(workdir, self.config.seed).workdir)
        if other.workdir.resolve() == self.workdir.resolve():
            raise ValueError(f"expected {workdir} to hold another run, got {self.workdir} itself")
        try:
            check_same_data(other.folder, other.noted, self.splits, other.labels)
        except ValueError as error:
            raise ValueError(f"expected {workdir} to hold a run of the data of {self.workdir}, got others") from error
        other.__dict__["splits"] = self.splits
        return other

    def model(self, **options) -> Any:
        """The network as a flax module, in float32 whatever training used; of a watched run a WatchedNetwork."""
        if self.noted.network is not None:
            return self.watched or read_network(self.folder, self.noted.network)
        num_classes = self.splits.train.num_classes
        return models.create(self.config.model, num_classes=num_classes, width=self.config.width, **options)

    def evaluator(self) -> Callable[[dict], dict]:
        """Makes the function that gives loss and accuracies of a network: of params and batch_stats."""
        if self.noted.network is None:
            return Trainer(self.config, self.splits, self.labels).evaluate
        model = self.model()
        return lambda variables: evaluate_watched(model, variables, self.splits, self.labels)

    # --- epochs and networks

    @property
    def best_epoch(self) -> int:
        """The epoch of highest test accuracy."""
        return best_epoch(self.metrics)

    @property
    def final_epoch(self) -> int:
        """The last epoch."""
        return final_epoch(self.metrics)

    @functools.cached_property
    def stored_epochs(self) -> list[int]:
        """The epochs whose networks the run keeps."""
        kept = kept_epochs(self.config.keep, held_out(self.metrics).tolist())
        return sorted(kept.snapshots | kept.full)

    def select_epochs(self, choice: str) -> list[int]:
        """The epochs that a choice like "log,best,final" means; all and log mean those that are stored."""
        return select_epochs(choice, self.metrics, self.stored_epochs)

    @functools.cached_property
    def _networks(self) -> StoredNetworks:
        store = StoredEpochs(self.folder.checkpoints, identity=self.noted.identity)
        return StoredNetworks(self.workdir, store, self.config.keep, lambda: self.stored_epochs)

    def network(self, epoch: int) -> dict:
        """The network of an epoch: params and batch_stats with NumPy leaves; raises DamagedNetworkError."""
        return self._networks.of(epoch)

    def networks(self, epochs: Iterable[int]) -> Iterator[tuple[int, dict]]:
        """(epoch, its network), one after the other, for a unit of work that needs them all.

        Raises DamagedNetworkError, or warns and goes on, see `skip_damaged`.
        """
        return self._networks.each(epochs, skip_damaged=self.skip_damaged)

    def network_layers(self, epoch: int, names: Iterable[str]) -> dict:
        """Some modules of an epoch's network, without reading the others; raises as `network`."""
        return self._networks.layers_of(epoch, names)

    def network_checksum(self, epoch: int) -> str:
        """A checksum of the network of an epoch as it is stored, in its precision, without reading it.

        Raises as `network`.
        """
        return self._networks.checksum(epoch)

    # --- tables

    def has_table(self, name: str) -> bool:
        """Whether a table was measured."""
        return (self.folder.results / f"{name}.csv").is_file()

    def table(self, name: str) -> pd.DataFrame:
        """A table in results/; raises FileNotFoundError if it was not measured, ValueError if it was changed since."""
        path = self.folder.results / f"{name}.csv"
        step = step_of(self.folder, name)
        made_by = command_line_of(step, self.workdir)
        if path.is_file():
            check_table(self.folder, name, step, self.noted.identity, made_by)
        return read_table(path, (), made_by)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Name -> table, of all that were measured."""
        names = sorted(path.stem for path in self.folder.results.glob("*.csv"))
        return {name: self.table(name) for name in names if name not in NOT_MEASURED}

    def summary(self) -> str:
        """What was trained and how it ended, in two lines."""
        best, last, metrics = self.best_epoch, self.final_epoch, self.metrics.set_index("epoch")
        about = f"{self!r}, {100 * self.config.permuted_fraction:g} % of the labels permuted"
        test = lambda stage, at: f"{stage} epoch {at}: test {metrics.loc[at, 'test_accuracy']:.1%}"
        ends = f"{test('best', best)}; {test('final', last)}"
        return f"{about}\n{ends}; training {metrics.loc[last, 'train_accuracy']:.1%}"

    @property
    def _program(self):
        """The module that makes the network of a watched run, if it names one."""
        named = (self.noted.network or {}).get("program") or ""
        return [named.partition(":")[0]] if named else []

    def identity(self) -> dict:
        """All of the run that the rows of a measurement depend on."""
        return {
            "run": self.config.identity(),
            "identity": self.noted.identity,
            "restores": read_restores(self.workdir, self.noted.identity),
            # "best" and "final" mean other networks once training is resumed.
            "epochs": len(self.metrics),
            "provenance": provenance(),
            "jax": {name: getattr(jax.config, f"jax_{name}") for name in OF_NUMBERS},
            "own_code": own_code([*self.config.own_modules, *self._program]),
            "library": library_version(self.noted.network["library"]) if self.noted.network else "",
        }


def open_run(workdir: str | pathlib.Path) -> Run:
    """Opens a run to look at; nothing is written, nothing is locked. Raises as `read_noted`."""
    folder = RunFolder(workdir)
    return Run(folder, read_noted(folder))


@contextlib.contextmanager
def run_to_measure(
    workdir: str | pathlib.Path,
    splits: Splits | None = None,
    *,
    skip_damaged: bool = False,
    watched: WatchedNetwork | None = None,
) -> Iterator[Run]:
    """Opens a run for a measurement: locked, and with labels, data and metrics compared before anything else.

    The data need not be loaded again. Raises ValueError or OSError with one clear sentence.
    """
    # Before the lock, which would make the folder.
    run = dataclasses.replace(open_run(workdir), skip_damaged=skip_damaged, watched=watched)
    with locked(run.workdir):
        check_writable(run.workdir)
        if edited := edited_code(run.noted.own_code or {}):
            warn(f"{run.workdir} was trained with another {edited}: it was edited since, and is measured as it is now")
        _ = run.metrics
        if splits is not None:
            check_same_data(run.folder, run.noted, splits, run.labels)
            run.__dict__["splits"] = splits
        _ = run.splits
        yield run
