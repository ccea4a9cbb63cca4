"""Where a run resumes: at the newest sound training state, with sound networks before it."""

import dataclasses
from collections.abc import Sequence

import jax

from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.progress import bar, warn
from memorize_jax.runs.folder import Run
from memorize_jax.runs.metrics import read_restores, stored_rows, write_restores
from memorize_jax.runs.noted import Noted, note_provenance
from memorize_jax.runs.session import Session
from memorize_jax.training import (
    NotFiniteLossError,
    Resume,
    TrainState,
    is_finished,
    rate_stretches,
    stack,
    train,
)

# Beyond a thousandth of the rate it is not the rate.
MOST_RESTORES = 10


def resume_point(sessions: Sequence[Session], splits: Splits, labels: PermutedLabels, shapes: TrainState) -> Resume:
    """Finds the newest sound training state, forgets later epochs, and repairs earlier ones that are damaged.

    Args:
      sessions: of the run, or of all seeds that are trained as one program: the state is of the newest epoch that all
        of those have which have not finished. Their rows are filled up to it.
      labels: of the run's training set; not used for several seeds.
      shapes: of the training state of one seed.

    Returns:
      where to resume; epoch -1 is the beginning.
    """
    rows = [stored_rows(session.folder) for session in sessions]
    newest = lambda session, not_after: session.store.load_training_state(shapes, not_after=not_after, on_damage=warn)
    found = [newest(session, len(own) - 1) for session, own in zip(sessions, rows, strict=True)]
    config = sessions[0].noted.config
    # The last row may be there, and the state that it stands for not yet.
    behind = [
        at
        for at, (state, own) in enumerate(zip(found, rows, strict=True))
        if state is None or state[0] < len(own) - 1 or not is_finished(config, state[0], own)
    ]
    while None not in found and len({found[at][0] for at in behind}) > 1:
        common = min(found[at][0] for at in behind)
        for at in behind:
            found[at] = newest(sessions[at], common)
    number = -1 if None in found else found[behind[0] if behind else 0][0]
    for at, session in enumerate(sessions):
        session.rows.extend(rows[at][: number + 1] if at in behind else rows[at])
        if not session.rows and (stored := session.store.epochs()):
            place = session.folder.workdir
            warn(f"no training state is left in {place}: training starts again, over {len(stored)} epochs")
        session.store.forget_after(len(session.rows) - 1)
    states = [state for _, state in found] if number >= 0 else []
    for session in sessions:
        faults = session.store.faults(session.test_accuracies, finished=session.is_finished) if session.rows else {}
        if faults and len(sessions) > 1:
            raise ValueError(
                f"{next(iter(faults.values()))}; {session.folder.workdir} was trained together with others and cannot "
                "be repaired: remove the folders of all of them and train them again"
            )
        for fault in faults.values():
            warn(fault)
        if number in faults:
            session.store.rewrite(number, states[0].variables, test_accuracies=session.test_accuracies)
        _repair(session, splits, labels, set(faults) - {number})
    state = (stack(states) if len(sessions) > 1 else states[0]) if states else None
    return Resume(number, state, [list(session.rows) for session in sessions])


def _repair(session, splits, labels, epochs):
    """Trains the damaged epochs once more from the start: the same seed, the same bits."""
    if not epochs:
        return
    folder, noted = session.folder, session.noted
    if jax.process_count() > 1:
        raise ValueError(f"{folder.workdir}: damaged epochs are repaired by one process alone; start only one")
    last = max(epochs)
    note_provenance(folder)
    warn(f"training from the start again up to epoch {last}, to replace what is damaged; nothing else changes")

    def on_epoch(epoch):
        progress.update()
        if epoch.number in epochs:
            session.store.rewrite(epoch.number, epoch.state.variables, test_accuracies=session.test_accuracies)

    resume, restores = None, read_restores(folder.workdir, noted.identity)
    with bar("repairing", "epoch", last + 1) as progress:
        for rate, end in rate_stretches(restores, noted.config.learning_rate, last):
            stretch = dataclasses.replace(noted.config, learning_rate=rate, epochs=min(end, last), stop_accuracy=1.0)
            state = train(stretch, splits, labels, on_epoch, resume=resume)
            resume = Resume(end, state, [[{"train_accuracy": 0.0}] * (end + 1)])


def halve_rate(folder: Run, noted: Noted, error: NotFiniteLossError) -> None:
    """Notes that the learning rate is halved from the epoch on that failed, which later resumes respect.

    Raises:
      NotFiniteLossError: `on_nan` of the configuration says to stop, or halving has not helped; says what can be done.
    """
    if noted.together:
        error.advise("lower --learning_rate, or leave out --together, in another --workdir")
        raise error
    restores = read_restores(folder.workdir, noted.identity)
    sound = error.epoch - 1
    place = f"the last sound epoch is {sound}" if sound >= 0 else "no epoch was sound"
    if noted.config.on_nan == "stop":
        error.advise(f"{place}; lower --learning_rate in another --workdir, or resume with --on_nan=restore")
        raise error
    if sound < 0 or len(restores) >= MOST_RESTORES:
        error.advise(f"{place}, and halving the rate {len(restores)} times has not helped")
        raise error
    lowered = error.learning_rate / 2
    happened = {"epoch": sound, "failed_epoch": error.epoch, "failed_step": error.step, "learning_rate": lowered}
    write_restores(folder.workdir, [*restores, happened], noted.identity)
    warn(f"{error}; training resumes after epoch {sound} at learning rate {lowered:g}")
