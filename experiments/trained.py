"""A trained run, opened for analysis, and what the analyses of one share."""

import contextlib
import dataclasses
import inspect
import pathlib
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import flax.linen as nn
import numpy as np
import pandas as pd

from experiments import cli
from experiments.configs import GeometryConfig
from experiments.presets import analyses
from experiments.record import recorded, tables_of
from memorize_jax import data, figures, models
from memorize_jax.analysis import INPUT, NetworkGeometry, select_epochs
from memorize_jax.config import RunConfig
from memorize_jax.data import GROUPS, ChannelStatistics, PermutedLabels, Splits
from memorize_jax.epochs import kept_epochs
from memorize_jax.geometry.status import INVALID
from memorize_jax.keys import stream
from memorize_jax.progress import bar
from memorize_jax.runs.folder import Run, check_writable
from memorize_jax.runs.labels import read_labels
from memorize_jax.runs.metrics import read_metrics, read_restores
from memorize_jax.runs.noted import Noted, check_same_data, read_noted
from memorize_jax.runs.provenance import provenance
from memorize_jax.runs.seeds import for_each
from memorize_jax.storage.checkpoints import DamagedCheckpointError, EpochStore
from memorize_jax.storage.lock import locked
from memorize_jax.storage.tables import make_table
from memorize_jax.studies.study import read_study
from memorize_jax.threads import one_thread


class Trained(NamedTuple):
    """What every analysis of a run needs.

    Attributes:
      folder: paths.
      noted: what its config.json says.
      metrics: table.
      splits: the data.
      labels: of the training set.
      store: of its networks.
      skip_damaged: whether an epoch whose network is damaged or gone is passed over.
    """

    folder: Run
    noted: Noted
    metrics: pd.DataFrame
    splits: Splits
    labels: PermutedLabels
    store: EpochStore
    skip_damaged: bool = False

    @property
    def config(self) -> RunConfig:
        """Of the training."""
        return self.noted.config

    @property
    def layers(self) -> dict[str, int]:
        """Name -> number in the paper's table, of the input and of every analyzed layer."""
        return {INPUT: 0, **{layer.name: layer.number for layer in models.layers(self.config.model)}}

    @property
    def statistics(self) -> ChannelStatistics:
        """Of the training images, which bring them to the range that the network expects."""
        return data.channel_statistics(self.splits.train.images, self.config.scaling)

    def model(self, **options) -> nn.Module:
        """The network, in float32 whatever training used."""
        num_classes = self.splits.train.num_classes
        return models.create(self.config.model, num_classes=num_classes, width=self.config.width, **options)

    def stored(self) -> set[int]:
        """The epochs whose networks the run keeps."""
        kept = kept_epochs(self.config.keep, self.metrics["test_accuracy"].tolist())
        return kept.snapshots | kept.full

    def select_epochs(self, spec: str) -> list[int]:
        """The epochs of `analysis.select_epochs`; all and log mean those that are stored."""
        return select_epochs(spec, self.metrics, self.stored())

    def settings(self, **analysis) -> dict:
        """All that a table's rows depend on, for `tables.make_table`."""
        restores = read_restores(self.folder.workdir, self.noted.identity)
        return {
            "run": self.config.identity(),
            "identity": self.noted.identity,
            "restores": restores,
            # "best" and "final" mean other networks once training has gone on.
            "epochs": len(self.metrics),
            "provenance": provenance(),
            **analysis,
        }

    def warn_of(self, found: NetworkGeometry, epoch: int, group: str, examples: np.ndarray) -> None:
        """Warns of the classes of a group of [P, M] examples, and of layers, whose numbers are missing or doubtful.

        A joint capacity that is only a bound is not warned of: it is so in every narrow layer, and its row says so.
        """
        given = {"test": self.splits.test.labels, "permuted": self.labels.assigned}.get(group, self.labels.true)
        classes = tuple(given[examples[:, 0]].tolist())
        problems = dataclasses.replace(found.mean_field, classes=classes).problems()
        if found.joint is not None:
            invalid = np.asarray(found.joint.status) & INVALID
            problems += dataclasses.replace(found.joint, status=invalid).problems()
        for problem in dict.fromkeys(problems):
            print(f"warning: epoch {epoch}, {group}: {problem}", file=sys.stderr)

    def make_table(
        self,
        name: str,
        columns: Sequence[str],
        units: Iterable[Hashable],
        make_rows: Callable[[Hashable], list[dict]],
        *,
        settings: Mapping,
        counted: str = "",
        otherwise: Callable[[Hashable], list[dict]] = lambda unit: [],
    ) -> pd.DataFrame:
        """Makes a table in results/, see `tables.make_table`: one treatment of a damaged network for all.

        Args:
          name: of the table.
          columns: of it.
          units: of work.
          make_rows: key of a unit -> rows; reads networks from `store`.
          settings: of the analysis, that rows depend on.
          counted: what the progress bar calls a unit; "" for no bar.
          otherwise: key -> the rows that stand for a unit whose network is passed over.

        Returns:
          the table, as it was written.

        Raises:
          ValueError: a network is damaged or gone, and is not passed over; says what mends it.
        """
        said, units = set(), list(units)

        def guarded(unit):
            progress.set_postfix_str(" ".join(map(str, unit)) if isinstance(unit, tuple) else str(unit))
            try:
                with one_thread():
                    return make_rows(unit)
            except (DamagedCheckpointError, FileNotFoundError) as error:
                if not self.skip_damaged:
                    raise ValueError(
                        f"{error}; the command that trained the run mends it, --skip_damaged goes on without it"
                    ) from error
                if str(error) not in said:
                    print(f"warning: {error}; skipped", file=sys.stderr)
                said.add(str(error))
                return None
            finally:
                progress.update()

        path, settings = self.folder.results / f"{name}.csv", self.settings(**{name: settings})
        with bar(name, counted, len(units)) as progress:
            return make_table(path, columns, units, guarded, settings=settings, otherwise=otherwise)


@contextlib.contextmanager
def opened(
    workdir: str | pathlib.Path, splits: Splits | None = None, *, skip_damaged: bool = False
) -> Iterator[Trained]:
    """Opens a run: reads what training left, checks that all of it belongs together, and keeps other commands out.

    Args:
      workdir: folder of the run.
      splits: the data, if they were loaded before.
      skip_damaged: see `Trained`.

    Yields:
      Trained.

    Raises:
      ValueError, OSError: one clear sentence.
    """
    folder = Run(workdir)
    # Before the lock, which would make the folder.
    noted = read_noted(folder)
    with locked(folder.workdir):
        check_writable(folder.workdir)
        metrics = read_metrics(folder.workdir, noted.identity)
        config = noted.config
        labels = read_labels(folder, noted)
        splits = splits or data.load(config.dataset, data_dir=config.data_dir, num_train=config.num_train)
        check_same_data(folder, noted, splits, labels)
        with EpochStore(folder.checkpoints, identity=noted.identity) as store:
            yield Trained(folder, noted, metrics, splits, labels, store, skip_damaged)


def analysis(step: str, before: Callable[[Run], object] = lambda folder: None) -> Callable:
    """Decorates what measures an opened run, (Trained, *settings) -> nothing: the result takes the run's folder.

    Args:
      step: name of the command, under which is noted how the tables were made.
      before: takes the folder; raises what can be known to be wrong before the data are loaded.

    Returns:
      A decorator. What it makes takes the folder of a run, the settings, the data, if they were loaded before, and
      `skip_damaged`, see `Trained`; it goes on where it was interrupted, and raises ValueError or OSError with one
      clear sentence.
    """

    def decorate(measure):
        count = len(inspect.signature(measure).parameters) - 1

        def run(workdir, *arguments, splits=None, skip_damaged=False):
            before(Run(workdir))
            # The data may also come by position, behind the settings.
            settings, (loaded,) = arguments[:count], arguments[count:] or (splits,)
            with opened(workdir, loaded, skip_damaged=skip_damaged) as trained:
                measure(trained, *settings)

        run.__doc__ = measure.__doc__
        return recorded(step)(run)

    return decorate


def run_chosen(step: str, run: Callable, drawn: Sequence[str] = (), parts: Sequence[str] = ()) -> None:
    """Does what the flags say for a run or every run of an ensemble, draws, and says where the results are.

    Args:
      step: name of the command.
      run: takes a run's folder and the settings.
      drawn: names of the figures of it.
      parts: names of the settings in a preset; that of the command, if it has any, unless given.
    """
    workdir = cli.required_workdir()
    settings, options = [], {}
    if step in analyses():
        parts = parts or (step,)
        chosen = cli.chosen(workdir, *parts)
        settings, options = [getattr(chosen, part) for part in parts], {"skip_damaged": cli.FLAGS.skip_damaged}
    tables = tuple(f"{table}.csv" for table in tables_of(step))
    for_each(workdir, lambda folder: run(folder, *settings, **options), tables)
    folder = Run(workdir)
    then = f"next: python -m experiments.report --workdir={workdir}"
    if drawn:
        names = ", ".join(path.name for path in figures.draw(read_study(workdir), drawn))
        then = f"drawn in {folder.figures}: {names or 'nothing'}"
    print(f"measured: {folder.results / tables[0]}; {then}")


def choose_examples(
    splits: Splits,
    labels: PermutedLabels,
    config: GeometryConfig,
    *,
    seed: int,
    names: Sequence[str] = GROUPS,
    repeat: int = 0,
) -> dict[str, np.ndarray]:
    """Chooses the examples of every group's manifolds.

    Args:
      splits: the data.
      labels: of the training set.
      config: GeometryConfig.
      seed: of the run.
      names: of the groups.
      repeat: number of another choice, see `data.manifold_indices`.

    Returns:
      group -> [P, M] indices into the training set (the test set for "test"); a group that is empty in this run
      is left out.

    Raises:
      ValueError: classes have too few examples; names them all.
    """
    groups = data.example_groups(labels, splits.test.labels)
    chosen, problems = {}, []
    for name in names:
        if not len(groups[name].indices):
            continue
        try:
            chosen[name] = data.manifold_indices(
                groups[name],
                num_classes=splits.train.num_classes,
                examples_per_class=config.examples_per_class,
                key=stream(seed, "geometry examples"),
                name=name,
                max_classes=config.max_classes,
                repeat=repeat,
            )
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ValueError("; ".join(problems))
    return chosen


def can_be_resampled(splits: Splits, labels: PermutedLabels, examples: Mapping[str, np.ndarray]) -> list[str]:
    """The groups whose classes all have more examples than stand for them; warns of the others.

    Args:
      splits: the data.
      labels: of the training set.
      examples: of `choose_examples`.
    """
    groups = data.example_groups(labels, splits.test.labels)
    found = []
    for name, chosen in examples.items():
        given = dict(zip(*groups[name], strict=True))
        counts = np.bincount(groups[name].labels)
        whole = [label for label in map(given.get, chosen[:, 0]) if counts[label] <= chosen.shape[1]]
        if whole:
            print(
                f"warning: {name}: all examples of class {', '.join(map(str, whole))} are measured, so there are no "
                "others and no spread over them; lower --examples_per_class",
                file=sys.stderr,
            )
        else:
            found.append(name)
    return found


def geometry_options(config: GeometryConfig, *, vary_components: bool = True) -> tuple[tuple[str, object], ...]:
    """What `analysis.network_geometries` is asked: its options with their names, as jit's static argument."""
    components = None if config.num_center_components < 0 else config.num_center_components
    return (
        ("num_draws", config.num_draws),
        ("kappa", config.kappa),
        ("num_center_components", components),
        ("compat", config.compat),
        ("vary_components", vary_components),
        ("joint_draws", config.joint_draws),
    )
