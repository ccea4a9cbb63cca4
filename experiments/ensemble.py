"""Trains the seeds of an ensemble: one after the other, or as one program where that is asked for.

The two ways do not give the same bits. Which it is, is noted in every member's config.json when it is begun, and kept.
"""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence

from experiments.members import member_folder
from experiments.resume import say
from experiments.run_folder import curves, enter, open_store, prepare, store_epoch
from memorize_jax import interruption, models
from memorize_jax.config import RunConfig
from memorize_jax.progress import bar
from memorize_jax.runs.folder import Run, member_folders
from memorize_jax.runs.metrics import stored_rows
from memorize_jax.runs.noted import Noted, check_members, note_provenance, read_noted
from memorize_jax.storage.lock import locked
from memorize_jax.training import NotFiniteLossError, Trainer, is_finished, train_together


def run(
    workdir: str | pathlib.Path,
    config: RunConfig,
    seeds: Sequence[int],
    *,
    run_one: Callable,
    plan: Mapping | None = None,
    together: bool = False,
) -> None:
    """Trains, or goes on training, an ensemble; every member is a complete run in a folder of its own.

    Args:
      workdir: folder of the ensemble.
      config: RunConfig; its seed is not used.
      seeds: of the members.
      run_one: `train.run`, for the members that are trained alone.
      plan: of `Preset.plan`, which new members note.
      together: train the members that are not begun as one program; those that are go on as they began.

    Raises:
      ValueError, OSError, NotFiniteLossError, Terminated: as `run_one`.
    """
    if Run(workdir).config.is_file():
        raise ValueError(f"workdir {workdir} holds a single run; choose another --workdir for an ensemble")
    if together and not models.can_be_stacked(config.model):
        raise ValueError(f"expected a model without dropout with --together, got {config.model}")
    if together and config.on_nan != "stop":
        raise ValueError(f"expected on_nan=stop with --together, got {config.on_nan}")
    configs = {seed: dataclasses.replace(config, seed=seed) for seed in seeds}
    held = {member: read_noted(Run(member)) for member in member_folders(workdir)}
    if held:
        new = {member_folder(workdir, seed): Noted(own) for seed, own in configs.items()}
        check_members({**new, **held})
    prepared, splits = {}, None
    for seed, own in configs.items():
        # The data are the same for all seeds, and in memory once.
        prepared[seed] = prepare(member_folder(workdir, seed), own, splits)
        splits = prepared[seed][0]
    for group in _groups(workdir, seeds, together):
        if len(group) > 1:
            _run_together(workdir, [configs[s] for s in group], [prepared[s] for s in group], plan)
        else:
            run_one(member_folder(workdir, group[0]), configs[group[0]], prepared[group[0]], plan)


def _groups(workdir, seeds, together):
    """The seeds that are trained as one program, or alone, in order: as they began, the others as is asked for."""
    begun = {seed: read_noted(run) for seed in seeds if (run := Run(member_folder(workdir, seed))).config.is_file()}
    new = tuple(seed for seed in seeds if seed not in begun)
    group_of = dict.fromkeys(new, new) if together else {}
    group_of |= {seed: tuple(noted.together) for seed, noted in begun.items()}
    for group in group_of.values():
        if missing := set(group) - set(seeds):
            every = sorted({*seeds, *missing})
            raise ValueError(
                f"{workdir}: seeds {', '.join(map(str, group))} are trained as one program; give all of them: "
                f"--seeds={','.join(map(str, every))}"
            )
    return list(dict.fromkeys(group_of.get(seed) or (seed,) for seed in seeds))


def _run_together(workdir, configs, prepared, plan):
    """Trains members as one program, from the newest epoch whose training state all of them have."""
    seeds = [config.seed for config in configs]
    with contextlib.ExitStack() as stack:
        places = [Run(member_folder(workdir, seed)) for seed in seeds]
        for place in places:
            stack.enter_context(locked(place.workdir))
        noted = [
            enter(place, config, *ready, plan, together=seeds)
            for place, config, ready in zip(places, configs, prepared, strict=True)
        ]
        stores = [stack.enter_context(open_store(*one)) for one in zip(places, noted, strict=True)]
        number, states, rows = _common_point(places, configs, stores, prepared)
        if all(_is_done(config, own) for config, own in zip(configs, rows, strict=True)):
            return
        for place in places:
            note_provenance(place)
        try:
            with interruption.deferred() as seconds_left:
                _train(configs, prepared, places, noted, stores, (number, states, rows), seconds_left)
        except NotFiniteLossError as error:
            error.advise("lower --learning_rate, or leave out --together, in another --workdir")
            raise


def _is_done(config, rows):
    return bool(rows) and is_finished(config, len(rows) - 1, rows)


def _common_point(places, configs, stores, prepared):
    """(epoch, states, rows) to go on from: of members that have finished all rows, of the others those up to it."""
    rows = [stored_rows(place) for place in places]
    templates = [Trainer(config, *ready).initial_state() for config, ready in zip(configs, prepared, strict=True)]

    def newest(member, not_after):
        return stores[member].load_training_state(templates[member], not_after=not_after, on_damage=say)

    found = {member: newest(member, len(own) - 1) for member, own in enumerate(rows)}
    # The last row may be there, and the state that it stands for not yet.
    done = [
        member
        for member, state in found.items()
        if _is_done(configs[member], rows[member]) and state is not None and state[0] == len(rows[member]) - 1
    ]
    behind = [member for member in found if member not in done]
    while None not in found.values() and len({found[member][0] for member in behind}) > 1:
        number = min(found[member][0] for member in behind)
        found |= {member: newest(member, number) for member in behind}
    number = found[behind[0]][0] if behind and None not in found.values() else -1
    for member, own in enumerate(rows):
        if member in behind:
            del own[number + 1 :]
        stores[member].forget_after(len(own) - 1)
        accuracies = [row["test_accuracy"] for row in own]
        if own and (faults := stores[member].faults(accuracies, finished=member in done)):
            raise ValueError(
                f"{next(iter(faults.values()))}; {places[member].workdir} was trained together with others and is not "
                "mended: remove the folders of all of them and train them again"
            )
    # Of a member that has finished any state will do: its place in the program is filled, and not looked at.
    return number, [state[1] for state in found.values()] if number >= 0 else (), rows


def _train(configs, prepared, places, noted, stores, resume, seconds_left):
    rows = resume[2]
    total = sum(config.epochs + 1 for config in configs)
    stopping, round_of = False, (-1, True)

    def on_epoch(member, epoch):
        nonlocal stopping, round_of
        stopping = stopping or seconds_left() is not None
        # All members store their states at the same epochs, so that there is one to go on from: the first decides.
        is_first = epoch.number != round_of[0]
        stored = store_epoch(
            places[member],
            stores[member],
            rows[member],
            epoch,
            identity=noted[member].identity,
            stop=stopping or (not is_first and round_of[1]),
            draw=draw[member],
            with_state=is_first or round_of[1],
        )
        if is_first:
            round_of = (epoch.number, stored)
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
        labels = [ready[1] for ready in prepared]
        train_together(configs, prepared[0][0], labels, on_epoch, resume=resume, on_step=on_step)
