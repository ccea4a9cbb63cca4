"""Watch: what a training loop of any library calls after every epoch."""

import dataclasses
import pathlib
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from memorize_jax.adapters import WatchedNetwork
from memorize_jax.adapters.adapt import adapt
from memorize_jax.adapters.network import check_evaluates, check_unchanged
from memorize_jax.commands.report import run as write_report
from memorize_jax.config import WATCHED, RunConfig
from memorize_jax.epochs import held_out
from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.registry import get_measurement
from memorize_jax.runs.folder import RunFolder, check_writable
from memorize_jax.runs.labels import write_labels
from memorize_jax.runs.metrics import stored_rows, write_metrics
from memorize_jax.runs.noted import Noted, begin, check_same_data, check_same_run, note_provenance, read_noted
from memorize_jax.runs.run import Run
from memorize_jax.runs.watched import evaluate_watched, write_watched
from memorize_jax.storage.checkpoints import EpochStore, StoredEpochs
from memorize_jax.storage.lock import locked
from memorize_jax.watching import own_metrics
from memorize_jax.watching.examples import MOST_EXAMPLES, fewest_examples, read_data
from memorize_jax.watching.settings import all_settings, changed_settings
from memorize_jax.watching.stored import check_same_arrays, is_stored_as
from memorize_jax.whole import check_whole

# What a report shows; all of it reads networks as they are.
MEASURED = ("geometry", "per_example", "collapse")


class Watch:
    """Watches a training loop: stores the network after every epoch, measures it, and writes a run folder.

        watch = memorize_jax.Watch("runs/mine", images, labels, true_labels, test_images=..., test_labels=...)
        watch(0, model)                              # before training
        for epoch in range(1, 101):
            ... train for an epoch ...
            watch(epoch, model)
        watch.report()

    The folder is one of this package: `open_run`, the report, claims and measurements read it. A loop that was stopped
    goes on with a Watch of the same folder and data at `watch.next_epoch`; `watch.load` brings the stored network back.

    Args:
      workdir: folder of the run.
      images: [n, ...], the training examples as the network takes them.
      labels: [n], the labels that it is trained on.
      true_labels: [n].
      test_images: [m, ...]; without a test set the best epoch is that of highest accuracy on the true labels of
        examples that are trained with other ones.
      test_labels: [m].
      network: what applies parameters: a flax.linen module, haiku's transformed function, or a function of
        (parameters, images) that gives the logits [n, num_classes], or name -> layer with the logits last or named
        "logits". A model of PyTorch, flax.nnx or equinox applies itself. MODULE:NAME of a function that makes any of
        these lets other processes measure the run.
      layers: which to analyze, see `taps` and `torch.extract`.
      every: the geometry is measured at every so many epochs, on as many examples of each class as the smallest has in
        any group, 50 at most, unless examples_per_class says otherwise; 0 for none before `report`.
      keep: which networks stay on disk, see `RunConfig.keep`.
      seed: of the examples chosen and of the draws.
      **settings: of the measurements, e.g. examples_per_class, num_draws.

    Raises:
      ValueError: data that do not match, unknown settings, a folder that holds another run.
    """

    def __init__(
        self,
        workdir: str | pathlib.Path,
        images: Any,
        labels: Any,
        true_labels: Any,
        *,
        test_images: Any = None,
        test_labels: Any = None,
        network: Any = None,
        layers: str | Sequence[str] = "auto",
        every: int = 10,
        keep: str = "all",
        seed: int = 0,
        **settings: Any,
    ):
        check_whole("every", every, least=0)
        self._folder, self._every, self._layers, self._given = RunFolder(workdir), every, layers, network
        self._splits, self._labels = read_data(images, labels, true_labels, test_images, test_labels)
        fraction = float(self._labels.is_permuted.mean())
        about = {"permuted_fraction": fraction, "seed": seed, "keep": keep}
        self._config = RunConfig(dataset=WATCHED, model=WATCHED, epochs=1, **about)
        self._config.validate()
        fewest, where = fewest_examples(self._splits, self._labels)
        self._has_manifolds = fewest > 1
        if every and not self._has_manifolds:
            raise ValueError(
                f"expected at least 2 examples of every class in every group, got {fewest} in {where}; every=0 follows "
                "the examples without the geometry"
            )
        settings.setdefault("examples_per_class", min(MOST_EXAMPLES, max(2, fewest)))
        self._settings = all_settings(settings)
        check_writable(self._folder.workdir)
        check_same_run(self._folder, self._config)
        self._network, self._rows = None, []
        # Training takes the time between calls.
        self._left = time.perf_counter()
        if self._folder.config.is_file():
            noted = read_noted(self._folder)
            check_same_data(self._folder, noted, self._splits, self._labels)
            with locked(self._folder.workdir), self._store(noted) as store:
                self._rows = stored_rows(self._folder)
                store.forget_after(len(self._rows) - 1)

    def __repr__(self):
        return f"Watch({str(self._folder.workdir)!r}: {len(self._rows)} epochs)"

    @property
    def next_epoch(self) -> int:
        """The epoch that has not been watched yet."""
        return len(self._rows)

    @property
    def run(self) -> Run:
        """The run as it is now, whose networks can be read, and given to its `evaluator`."""
        run = Run(self._folder, read_noted(self._folder), watched=self._network)
        run.__dict__.update(splits=self._splits, labels=self._labels)
        return run

    def __call__(self, epoch: int, params_or_model: Any, metrics: Mapping[str, Any] | None = None) -> dict[str, float]:
        """Stores and evaluates the network after an epoch, and measures its geometry where that is due.

        Args:
          epoch: 0, 1, 2, ...; 0 is the network before training. One that was watched before must have the same network.
          params_or_model: model of PyTorch, flax.nnx or equinox, of that also (model, state); variables of flax.linen;
            params, or (params, state), of haiku. It is not changed. Where it returns several arrays, the answers are
            the one named "logits", or else the only one [n, num_classes].
          metrics: of the program's own, numbers by name; "loss" and "seconds" replace those found here, all are kept in
            own_metrics.csv.

        Returns:
          Loss and accuracies of the epoch.

        Raises:
          ValueError: a network other than that of the run; one that answers with probabilities in place of logits,
            answers an example otherwise alone than in a batch, or otherwise than its parameters and buffers say;
            several outputs of which none can be told to be the answers.
        """
        check_whole("epoch", epoch, least=0)
        metrics = own_metrics.read_metrics(metrics)
        network = self._adapted(params_or_model)
        variables = network.split(params_or_model)
        with locked(self._folder.workdir):
            noted = self._begun(network)
            if epoch < len(self._rows):
                self._check_stored(epoch, variables, noted)
                return self._rows[epoch]
            if epoch > len(self._rows):
                raise ValueError(
                    f"expected epoch {len(self._rows)}, got {epoch}: watch every epoch, the network before training is "
                    "epoch 0; every= says at which the geometry is measured"
                )
            check_unchanged(network, params_or_model, variables, self._sample)
            row = {"epoch": epoch, **evaluate_watched(network, variables, self._splits, self._labels)}
            row["seconds"] = time.perf_counter() - self._left
            row |= {name: metrics[name] for name in own_metrics.REPLACED if name in metrics}
            if not np.isfinite(row["loss"]):
                raise ValueError(
                    f"the loss of epoch {epoch} is {row['loss']}: training has diverged, and nothing of this epoch is "
                    "stored; lower the learning rate, or go on from watch.load(model)"
                )
            rows = [*self._rows, row]
            with self._store(noted) as store:
                accuracies = held_out(pd.DataFrame(rows)).tolist()
                store.save(epoch, variables, None, complete=False, test_accuracies=accuracies)
            write_metrics(self._folder.workdir, rows, noted.identity)
            self._rows = rows
            if metrics:
                own_metrics.write_metrics(self._folder, epoch, metrics)
        if self._every and epoch % self._every == 0:
            self.measure("geometry", geometry_epochs=self._due())
        self._left = time.perf_counter()
        return row

    def measure(self, name: str, **settings: Any) -> pd.DataFrame:
        """Measures the run by a measurement of the registry; "geometry", "per_example", "rewinding", ...

        Args:
          **settings: that replace those of this Watch.

        Returns:
          Its first table, which is in results/ too.

        Raises:
          ValueError: no such measurement, or none that a watched network can have; unknown settings.
        """
        if not self._rows:
            raise ValueError("expected at least one epoch before measuring; call watch(0, model) first")
        about = get_measurement(name)
        chosen = changed_settings([self._settings[part] for part in about.parts], settings)
        return measure(about, self._folder.workdir, chosen, splits=self._splits, watched=self._network)

    def report(self) -> pathlib.Path:
        """Measures what a report shows and is not measured yet, and writes report.html; returns its path."""
        epochs = ",".join(dict.fromkeys([*filter(None, [self._due()]), "best", "final"]))
        if self._has_manifolds:
            self.measure("geometry", geometry_epochs=epochs)
        for name in MEASURED[1:]:
            self.measure(name)
        return write_report(self._folder.workdir)[0]

    def load(self, params_or_model: Any, epoch: int | None = None) -> Any:
        """The network of an epoch, by default the last, in the form of the one given; PyTorch's is filled in place."""
        network = self._adapted(params_or_model)
        return network.merge(self.run.network(len(self._rows) - 1 if epoch is None else epoch), params_or_model)

    def forget_after(self, epoch: int) -> None:
        """Removes what is stored of later epochs, which the loop is about to do again, and all that was measured.

        After -1 nothing is left; ValueError for other numbers below 0.
        """
        check_whole("epoch", epoch, least=-1)
        with locked(self._folder.workdir):
            noted = read_noted(self._folder)
            # Before the networks: no table may speak of those that are gone.
            shutil.rmtree(self._folder.results, ignore_errors=True)
            self._rows = self._rows[: epoch + 1]
            write_metrics(self._folder.workdir, self._rows, noted.identity)
            with self._store(noted) as store:
                store.forget_after(epoch)

    def _adapted(self, params_or_model):
        if self._network is None:
            about = {"layers": self._layers, "num_classes": self._splits.train.num_classes}
            network = adapt(params_or_model, self._sample, given=self._given, **about)
            if self._folder.config.is_file():
                self._check_same_network(network, params_or_model)
            check_evaluates(network, params_or_model, self._sample)
            self._network = network
        return self._network

    @property
    def _sample(self):
        """The few examples by which a network is looked at."""
        return self._splits.train.images[:2]

    def _check_same_network(self, network, params_or_model):
        """Raises ValueError unless a network has the layers and arrays of those that are stored."""
        noted = read_noted(self._folder)
        if noted.network != network.noted():
            raise ValueError(
                f"{self._folder.workdir} holds a run of another network: {noted.network}; choose another workdir"
            )
        stored = StoredEpochs(self._folder.checkpoints, identity=noted.identity)
        check_same_arrays(stored, network.split(params_or_model), self._folder.workdir)

    def _begun(self, network: WatchedNetwork) -> Noted:
        """What the run says about itself, written at its first epoch."""
        config = dataclasses.replace(self._config, epochs=max(1, len(self._rows)))
        if not self._folder.config.is_file():
            write_watched(self._folder, self._splits)
            settings = {name: dataclasses.asdict(own) for name, own in self._settings.items()}
            noted = begin(self._folder, config, self._splits, {"settings": settings, "network": network.noted()})
            write_labels(self._folder, self._labels, config, noted.identity)
        else:
            noted = begin(self._folder, config, self._splits)
        note_provenance(self._folder)
        return noted

    def _store(self, noted):
        return EpochStore(self._folder.checkpoints, keep=self._config.keep, identity=noted.identity)

    def _check_stored(self, epoch, variables, noted):
        """Raises ValueError unless the network is the one that is stored of an epoch."""
        with self._store(noted) as store:
            is_same = is_stored_as(store, epoch, variables)
        if not is_same:
            raise ValueError(
                f"epoch {epoch} of {self._folder.workdir} is stored with another network; go on at next_epoch "
                f"({self.next_epoch}), call forget_after({epoch - 1}) to do it again, or choose another workdir"
            )

    def _due(self):
        """The epochs so far at which the geometry is measured, as a choice."""
        return ",".join(str(row["epoch"]) for row in self._rows if self._every and row["epoch"] % self._every == 0)
