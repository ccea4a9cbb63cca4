"""Trains the seeds of an ensemble: as one program where that is faster, else one after the other."""

import contextlib
import dataclasses
import pathlib
import sys
from collections.abc import Callable, Sequence

from experiments import interruption
from experiments.members import member_folder
from experiments.progress import bar
from experiments.resume import read_restores, resume_point
from experiments.run_folder import curves, prepare, store_epoch
from memorize_jax import models
from memorize_jax.checkpoints import EpochStore
from memorize_jax.config import RunConfig
from memorize_jax.locks import locked
from memorize_jax.runs import Run, check_same_run, write_config, write_labels
from memorize_jax.training import Ensemble, NotFiniteLossError, is_finished, train_together


def run(workdir: str | pathlib.Path, config: RunConfig, seeds: Sequence[int], *, run_one: Callable) -> None:
    """Trains, or goes on training, an ensemble; every member is a complete run in a folder of its own.

    Args:
      workdir: folder of the ensemble.
      config: RunConfig; its seed is not used.
      seeds: of the members.
      run_one: `train.run`, for the members that are trained alone.

    Raises:
      ValueError, OSError, NotFiniteLossError, Terminated: as `run_one`.
    """
    if Run(workdir).config.is_file():
        raise ValueError(f"workdir {workdir} holds a single run; choose another --workdir for an ensemble")
    configs = [dataclasses.replace(config, seed=seed) for seed in seeds]
    folders = [member_folder(workdir, seed) for seed in seeds]
    prepared, splits = [], None
    for folder, own in zip(folders, configs, strict=True):
        # The data are the same for all seeds, and in memory once.
        prepared.append(prepare(folder, own, splits))
        splits = prepared[0][0]
    if len(seeds) > 1 and models.can_be_stacked(config.model) and not any(map(_has_restores, folders)):
        try:
            _run_together(folders, configs, prepared)
        except NotFiniteLossError as error:
            print(f"warning: {error}; going on with one seed after the other", file=sys.stderr)
    for folder, own, ready in zip(folders, configs, prepared, strict=True):
        run_one(folder, own, ready)


def _has_restores(folder):
    return bool(read_restores(Run(folder)))


def _run_together(folders, configs, prepared):
    """Trains all members that stand at the same epoch as one program, as long as that is the faster way."""
    splits = prepared[0][0]
    with contextlib.ExitStack() as stack:
        places = [Run(folder) for folder in folders]
        for place, config, (_, labels) in zip(places, configs, prepared, strict=True):
            stack.enter_context(locked(place.workdir))
            check_same_run(place, config)
            write_config(place, config)
            write_labels(place, labels, config)
        stores = [
            stack.enter_context(EpochStore(place.checkpoints, keep=config.keep, keep_dtype=config.keep_dtype))
            for place, config in zip(places, configs, strict=True)
        ]
        points = [
            resume_point(place, config, store, *ready)
            for place, config, store, ready in zip(places, configs, stores, prepared, strict=True)
        ]
        groups = {}
        for member, point in enumerate(points):
            if point is None or not is_finished(configs[member], point[0], point[2]):
                groups.setdefault(-1 if point is None else point[0], []).append(member)
        seconds_left = stack.enter_context(interruption.deferred())
        for number, members in sorted(groups.items()):
            own = [configs[member] for member in members]
            labels = [prepared[member][1] for member in members]
            if len(members) == 1 or not Ensemble(own, splits, labels).is_faster_together():
                continue
            resume = None
            if number >= 0:
                resume = number, [points[m][1] for m in members], [points[m][2] for m in members]
            _train(
                own, splits, labels, [places[m] for m in members], [stores[m] for m in members], resume, seconds_left
            )


def _train(configs, splits, labels, places, stores, resume, seconds_left):
    rows = [list(one) for one in resume[2]] if resume else [[] for _ in configs]
    total = sum(config.epochs + 1 for config in configs)
    stopping = False

    def on_epoch(member, epoch):
        nonlocal stopping
        stopping = stopping or seconds_left() is not None
        store_epoch(places[member], stores[member], rows[member], epoch, stop=stopping, draw=draw[member])
        progress.set_postfix(epoch=epoch.number, seed=configs[member].seed)
        progress.update()

    def on_step():
        # Not within an epoch's round of saves: the members that come last must be stored too.
        left = seconds_left()
        if stopping or (left is not None and left < 0):
            raise interruption.Terminated

    with (
        contextlib.ExitStack() as stack,
        bar(f"training {len(configs)} seeds together", "epoch", total, done=sum(map(len, rows))) as progress,
    ):
        draw = [stack.enter_context(curves(*one)) for one in zip(places, configs, rows, strict=True)]
        train_together(configs, splits, labels, on_epoch, resume=resume, on_step=on_step)
