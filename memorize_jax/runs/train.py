"""Trains a run in a folder, or several that differ in the seed, and resumes them wherever they stopped.

Seeds trained one after the other and as one program do not give the same bits. Which it is, is noted in every run's
config.json when it is begun, and kept.
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from memorize_jax import interruption, models
from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels
from memorize_jax.progress import bar
from memorize_jax.runs.folder import RunFolder, member_folders
from memorize_jax.runs.keeping import keep_as_begun
from memorize_jax.runs.members import END, check_ends, check_members
from memorize_jax.runs.noted import Noted, begin, note_provenance, read_config, read_noted
from memorize_jax.runs.prepare import Prepared, check_disk, enter, load_run_data, prepare
from memorize_jax.runs.resume import halve_rate, rate_stretches, resume_point
from memorize_jax.runs.seeds import forget_combined, seed_folder
from memorize_jax.runs.session import Session, open_session
from memorize_jax.storage.checkpoints import reached_preemption
from memorize_jax.storage.lock import locked
from memorize_jax.training import NotFiniteLossError, Resume, share_resume, state_shapes, train


def train_run(
    workdir: str | pathlib.Path, config: RunConfig, prepared: Prepared | None = None, plan: Mapping | None = None
) -> None:
    """Trains the run in a folder, or resumes it.

    Args:
      prepared: what `prepare` returned, if it was called before.
      plan: preset and settings, which a new run notes for its measurements, see `Noted`; None for the defaults.

    Raises:
      Terminated: the process was asked to end; everything up to the last epoch is stored.
      NotFiniteLossError: the loss is NaN or infinite; says what can be done.
      OSError: the disk is full, or the folder is gone or in use by another process.
    """
    if jax.process_count() > 1 and config.on_nan != "stop":
        raise ValueError(f"expected on_nan=stop with several processes, got {config.on_nan}")
    if jax.process_index() > 0:
        _follow(config)
    else:
        _train_in([(RunFolder(workdir), config, prepared or prepare(workdir, config))], plan)


def train_seeds(
    workdir: str | pathlib.Path,
    config: RunConfig,
    seeds: Sequence[int],
    *,
    plan: Mapping | None = None,
    together: bool = False,
) -> None:
    """Trains several seeds, or resumes them, as `train_run`; each is a complete run in a folder `seed_0`, `seed_1`, ...

    Args:
      config: its seed is not used.
      together: train the seeds that are not begun as one program; those that are resume as they began.
    """
    if RunFolder(workdir).config.is_file():
        raise ValueError(f"workdir {workdir} holds a single run; choose another --workdir for an ensemble")
    if together and not models.can_be_stacked(config.model):
        raise ValueError(f"expected a model of dense layers without dropout with --together, got {config.model}")
    if together and config.on_nan != "stop":
        raise ValueError(f"expected on_nan=stop with --together, got {config.on_nan}")
    if together and jax.process_count() > 1:
        raise ValueError(f"expected one process with --together, got {jax.process_count()}")
    configs = {seed: dataclasses.replace(config, seed=seed) for seed in seeds}
    folders = {seed: RunFolder(seed_folder(workdir, seed)) for seed in seeds}
    held = {path: read_noted(RunFolder(path)) for path in member_folders(workdir)}
    if held:
        _check_ensemble(config, {folders[seed].workdir: own for seed, own in configs.items()}, held)
    prepared, splits = {}, None
    for seed, own in configs.items():
        # The data are the same for all seeds, and in memory once.
        prepared[seed] = prepare(folders[seed].workdir, own, splits)
        splits = prepared[seed][0]
    check_disk(list(folders.values()), config, prepared[seeds[0]][0])
    if jax.process_index() == 0:
        for seed, own in configs.items():
            _note_end(folders[seed], own, prepared[seed][0])
    for group in _groups(workdir, folders, together):
        if len(group) == 1:
            train_run(folders[group[0]].workdir, configs[group[0]], prepared[group[0]], plan)
        else:
            _train_in([(folders[seed], configs[seed], prepared[seed]) for seed in group], plan)


def _check_ensemble(config, asked, held):
    """Raises ValueError unless all seeds, those that are begun too, will be of one study and end alike.

    Args:
      asked, held: folder -> RunConfig of the seeds that are asked for, and Noted of those that are begun.
    """
    end = {name: getattr(config, name) for name in END}
    ending = {
        path: own._replace(config=dataclasses.replace(own.config, **end)) if path in asked else own
        for path, own in held.items()
    }
    check_members({**{path: Noted(own) for path, own in asked.items()}, **ending})
    check_ends(config, held, [own.seed for own in asked.values()])


def _note_end(folder, config, splits):
    """Notes of a seed that is begun where its training ends now, before another one is trained to that end.

    So all say the same however the command is stopped, and those that are not there yet are known to be unfinished.
    """
    if folder.config.is_file() and any(getattr(read_config(folder), name) != getattr(config, name) for name in END):
        with locked(folder.workdir):
            begin(folder, keep_as_begun(folder, config), splits)


def _groups(workdir, folders, together) -> list[tuple[int, ...]]:
    """The seeds that are trained as one program, or alone, in order: as they began, the others as is asked for."""
    begun = {seed: read_noted(folder) for seed, folder in folders.items() if folder.config.is_file()}
    new = tuple(seed for seed in folders if seed not in begun)
    group_of = dict.fromkeys(new, new) if together else {}
    group_of |= {seed: tuple(noted.together) for seed, noted in begun.items()}
    for group in group_of.values():
        if missing := set(group) - set(folders):
            every = sorted({*folders, *missing})
            held_together = f"seeds {', '.join(map(str, group))} are trained as one program"
            raise ValueError(f"{workdir}: {held_together}; give all of them: --seeds={','.join(map(str, every))}")
    return list(dict.fromkeys(group_of.get(seed) or (seed,) for seed in folders))


def _train_in(runs, plan):
    """Trains one run, or several seeds as one program, to the end; `runs` are (folder, config, prepared)."""
    together = [config.seed for _, config, _ in runs] if len(runs) > 1 else []
    (splits, labels), folders = runs[0][2], [folder for folder, _, _ in runs]
    if together:
        labels = PermutedLabels(*map(np.stack, zip(*(own for _, _, (_, own) in runs), strict=True)))
    with contextlib.ExitStack() as locks:
        for folder in folders:
            locks.enter_context(locked(folder.workdir))
        noted = [enter(folder, config, ready, plan, together) for folder, config, ready in runs]
        while True:
            with contextlib.ExitStack() as stores:
                sessions = [stores.enter_context(open_session(*one)) for one in zip(folders, noted, strict=True)]
                try:
                    return _train(sessions, splits, labels, together or None)
                except NotFiniteLossError as error:
                    halve_rate(folders[0], noted[0], error)


def _train(sessions: Sequence[Session], splits, labels, seeds):
    """Trains from the newest sound epoch."""
    config = sessions[0].noted.config
    shapes = state_shapes(config, splits)
    resume = share_resume(resume_point(sessions, splits, labels, shapes), shapes)
    if not all(session.is_finished for session in sessions):
        for session in sessions:
            note_provenance(session.folder)
            forget_combined(session.folder)
    session_of = {session.noted.config.seed: session for session in sessions}

    def on_epoch(*epochs):
        stop = seconds_left() is not None or reached_preemption(epochs[0].number)
        # All seeds store their states at the same epochs, so that there is one to resume from: the first decides.
        with_state = stop or None
        for epoch in epochs:
            stored = session_of[epoch.seed].store_epoch(epoch, draw[epoch.seed], with_state)
            with_state = stored if with_state is None else with_state
            progress.update()
        mean = lambda name: np.mean([epoch.metrics[f"{name}_accuracy"] for epoch in epochs])
        progress.set_postfix({name: f"{mean(name):.1%}" for name in ("train", "test", "restored")})
        if stop:
            raise interruption.Terminated

    def on_step():
        left = seconds_left()
        if left is not None and left < 0:
            raise interruption.Terminated

    total, done = len(sessions) * (config.epochs + 1), sum(len(session.rows) for session in sessions)
    how = f"training {len(seeds)} seeds together" if seeds else "training"
    with (
        interruption.deferred() as seconds_left,
        contextlib.ExitStack() as curves,
        bar(how, "epoch", total, done=done) as progress,
    ):
        draw = {seed: curves.enter_context(session.curves()) for seed, session in session_of.items()}
        for stretch in rate_stretches(config, sessions[0].restores()):
            if stretch.epochs > resume.number:
                resume = train(stretch, splits, labels, on_epoch, seeds=seeds, resume=resume, on_step=on_step)


def _follow(config):
    """Takes part in the training of process 0, which alone reads and writes the run's folder."""
    splits, labels = load_run_data(config)

    def on_epoch(epoch):
        if reached_preemption(epoch.number):
            raise interruption.Terminated

    resume = share_resume(Resume(-1, None, [[]]), state_shapes(config, splits))
    train(config, splits, labels, on_epoch, resume=resume)
