"""Where a run resumes: at the newest sound training state, with sound networks before it, at the right rate."""

import itertools
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.progress import bar, warn
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.metrics import forget_rows, read_restores, stored_rows, write_restores
from memorize_jax.runs.noted import Noted, note_provenance
from memorize_jax.runs.session import Session
from memorize_jax.training import NotFiniteLossError, Resume, TrainState, is_finished, stack, train

# Beyond a thousandth of the rate it is not the rate.
MOST_RESTORES = 10


def resume_point(sessions: Sequence[Session], splits: Splits, labels: PermutedLabels, shapes: TrainState) -> Resume:
    """Finds the newest sound training state, forgets later epochs, and repairs earlier ones that are damaged.

    Args:
      sessions: of the run, or of all seeds that are trained as one program: then the state is of the newest epoch that
        all have which have not finished. Their rows are filled up to it.
      shapes: of the training state of one seed.
    """
    rows = [stored_rows(session.folder) for session in sessions]
    newest = lambda session, not_after: session.store.load_training_state(shapes, not_after=not_after, on_damage=warn)
    found = [newest(session, len(own) - 1) for session, own in zip(sessions, rows, strict=True)]
    config = sessions[0].noted.config
    # The last row may be there, and the state that it stands for not yet.
    is_behind = lambda state, own: not state or state[0] < len(own) - 1 or not is_finished(config, state[0], own)
    behind = [at for at, one in enumerate(zip(found, rows, strict=True)) if is_behind(*one)]
    while None not in found and len({found[at][0] for at in behind}) > 1:
        common = min(found[at][0] for at in behind)
        for at in behind:
            found[at] = newest(sessions[at], common)
    number = -1 if None in found else found[behind[0] if behind else 0][0]
    states = [state for _, state in found] if number >= 0 else [None]
    for at, session in enumerate(sessions):
        session.rows.extend(rows[at][: number + 1] if at in behind else rows[at])
        if len(session.rows) < len(rows[at]):
            forget_rows(session.folder, session.rows, session.noted.identity)
        if not session.rows and (stored := session.store.epochs()):
            place = session.folder.workdir
            warn(f"no training state is left in {place}: training starts again, over {len(stored)} epochs")
        session.store.forget_after(len(session.rows) - 1)
    for session in sessions:
        _repair(session, splits, labels, number, states[0], is_alone=len(sessions) == 1)
        if session.rows:
            session.store.tidy(session.test_accuracies)
    state = stack(states) if len(states) > 1 else states[0]
    return Resume(number, state, [list(session.rows) for session in sessions])


def _repair(session, splits, labels, number, state, *, is_alone):
    """Trains damaged epochs once more from the start, the same seed and so the same bits; `state` is of `number`."""
    faults = session.store.faults(session.test_accuracies, finished=session.is_finished) if session.rows else {}
    if faults and not is_alone:
        raise ValueError(
            f"{next(iter(faults.values()))}; {session.folder.workdir} was trained together with others and cannot be "
            "repaired: remove the folders of all of them and train them again"
        )
    for fault in faults.values():
        warn(fault)
    test = session.test_accuracies
    rewrite = lambda epoch, state: session.store.rewrite(epoch, state.variables, test_accuracies=test)
    if number in faults:
        rewrite(number, state)
    if damaged := set(faults) - {number}:
        _train_again(session, splits, labels, damaged, rewrite)


def _train_again(session, splits, labels, damaged, rewrite):
    """Repairs epochs as long as all on the way are, by metrics and networks, what they were; leaves the later ones."""
    folder, config = session.folder, session.noted.config
    if jax.process_count() > 1:
        raise ValueError(f"{folder.workdir}: damaged epochs are repaired by one process alone; start only one")
    last = max(damaged)
    note_provenance(folder)
    warn(f"training from the start again up to epoch {last}, to replace what is damaged; nothing else changes")

    def on_epoch(epoch):
        progress.update()
        differs = _other_metrics(epoch.metrics, session.rows[epoch.number])
        # Other networks may have the same metrics, for a time.
        if not differs and session.store.is_another(epoch.number, epoch.state.variables):
            differs = "other weights than were stored"
        if differs:
            raise _OtherNetworkError(epoch.number, differs)
        if epoch.number in damaged:
            rewrite(epoch.number, epoch.state)
            damaged.remove(epoch.number)

    resume = None
    try:
        with bar("repairing", "epoch", last + 1) as progress:
            for stretch in rate_stretches(config.stretch(epochs=last, stop_accuracy=1.0), session.restores()):
                resume = train(stretch, splits, labels, on_epoch, resume=resume)
    except (_OtherNetworkError, NotFiniteLossError) as error:
        left = ", ".join(map(str, sorted(damaged)))
        warn(
            f"{folder.workdir}: not repaired: epoch {left}, for here training takes another course ({error}); on the "
            "devices and with the versions that config.json notes the same command repairs it, --skip_damaged measures "
            "without it"
        )


class _OtherNetworkError(Exception):
    """What was trained once more is not what it was; the message says of which epoch and how."""

    def __init__(self, epoch: int, differs: str):
        super().__init__(f"epoch {epoch}: {differs}")


def _other_metrics(found: Mapping, held: Mapping) -> str:
    """The first metric that is not as the row of metrics.csv says, and both values; "" if all are, but for seconds."""
    for name, value in found.items():
        if name != "seconds" and not np.array_equal(value, held[name], equal_nan=True):
            return f"{name} {value:.9g} where metrics.csv has {held[name]:.9g}"
    return ""


def rate_stretches(config: RunConfig, restores: Sequence[dict]) -> list[RunConfig]:
    """Cuts a run into stretches of one learning rate, each with the rate and the last epoch that is trained with it.

    Of the `restores`, each with the `epoch` after which its `learning_rate` holds, a later one overrules those before.
    """

    def rate_of(epoch):
        found = [float(restore["learning_rate"]) for restore in restores if restore["epoch"] < epoch]
        return found[-1] if found else config.learning_rate

    last = max(config.epochs, 1)
    ends = sorted({int(restore["epoch"]) for restore in restores if 1 <= restore["epoch"] < last} | {last})
    stretches = itertools.groupby(ends, rate_of)
    return [config.stretch(learning_rate=rate, epochs=max(of_rate)) for rate, of_rate in stretches]


def halve_rate(folder: RunFolder, noted: Noted, error: NotFiniteLossError) -> None:
    """Notes that the learning rate is halved from the epoch on that failed, which later resumes respect.

    Raises the error, with what can be done, if `on_nan` of the configuration says to stop, or halving has not helped.
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
