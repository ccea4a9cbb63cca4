"""What the runs of an ensemble must have in common: all but their seed, and where their training is to end."""

import pathlib
from collections.abc import Collection, Mapping

from memorize_jax.config import RunConfig
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.metrics import stored_rows
from memorize_jax.runs.noted import Noted

# Where training ends: the same for all runs of an ensemble, though it may change when they are trained further.
END = ("epochs", "stop_accuracy", "extra_epochs")


def check_members(noted: Mapping[pathlib.Path, Noted]) -> None:
    """Raises ValueError unless the runs of an ensemble, by folder, differ in their seed alone; names what differs.

    How far each has come may differ, but not where its training is to end.
    """
    (first, of_first), *others = noted.items()
    lost = [path.parent for path in first.parent.glob("seed_*/metrics.csv") if path.parent not in noted]
    if lost := [path for path in lost if not RunFolder(path).config.is_file()]:
        raise ValueError(f"{lost[0]} has no config.json; give the command again that trained it, or move it away")
    asked = {**of_first.config.deciding(), "data": of_first.data}
    for folder, own in others:
        held = {**own.config.deciding(), "data": own.data}
        # The first version knew nothing of its data.
        skipped = {"seed"} | ({"data"} if None in (held["data"], asked["data"]) else set())
        different = [name for name in asked if name not in skipped and held[name] != asked[name]]
        if different:
            pairs = ", ".join(f"{name}={held[name]} (there: {asked[name]})" for name in different)
            raise ValueError(f"{folder} is of another study than {first}: {pairs}; move one of them elsewhere")
    _check_same_end(noted)
    for folder, own in noted.items():
        if folder.name != f"seed_{own.config.seed}":
            raise ValueError(f"{folder} holds a run of seed {own.config.seed}; rename it, or move it elsewhere")


def check_ends(config: RunConfig, held: Mapping[pathlib.Path, Noted], seeds: Collection[int]) -> None:
    """Raises ValueError if some seeds were trained further than is asked for, which the others would then not be.

    Args:
      config: what is asked for; its seed does not matter.
      held: the members of an ensemble that are begun.
      seeds: those that are asked for.
    """
    rows = {path: stored_rows(RunFolder(path)) for path in held}
    accuracies = {path: [row["train_accuracy"] for row in own] for path, own in rows.items()}
    ends = lambda own, path, last: last >= 0 and own.ends_after(last, accuracies[path][: last + 1])
    further = [path for path in held if ends(config, path, len(rows[path]) - 2)]
    are_alike = len({tuple(getattr(own.config, name) for name in END) for own in held.values()}) == 1
    have_ended = all(ends(own.config, path, len(rows[path]) - 1) for path, own in held.items())
    is_new = set(seeds) - {own.config.seed for own in held.values()}
    if not further or (len(further) == len(held) and are_alike and have_ended and not is_new):
        return
    begun = held[further[0]].config
    flags = " ".join(f"--{name}={getattr(begun, name)}" for name in END)
    last = len(rows[further[0]]) - 1
    raise ValueError(
        f"{further[0]} was trained to epoch {last}, further than is asked for, and all seeds of an ensemble end alike; "
        f"it was asked to end by {flags}: give these or more, or choose another --workdir"
    )


def _check_same_end(noted):
    # A program that was watched decides on its own when it ends.
    trained = {folder: own.config for folder, own in noted.items() if not own.config.is_watched}
    if not trained:
        return
    ends = {folder: {name: getattr(config, name) for name in END} for folder, config in trained.items()}
    (first, asked), *others = ends.items()
    for folder, held in others:
        if different := [name for name in END if held[name] != asked[name]]:
            pairs = ", ".join(f"{name}={held[name]} (there: {asked[name]})" for name in different)
            seeds = ",".join(map(str, sorted(config.seed for config in trained.values())))
            flags = " ".join(f"--{name}={max(end[name] for end in ends.values())}" for name in different)
            advice = f"give the command that trained them with --seeds={seeds} {flags}, which trains on what is shorter"
            raise ValueError(f"{folder} is trained to another end than {first}: {pairs}; {advice}")
