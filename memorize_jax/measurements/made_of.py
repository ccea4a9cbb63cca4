"""What units of work are made of: the networks that they read, so that rows serve only while these are as they were."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from memorize_jax.measurements.measurement import Work
from memorize_jax.runs.networks import DamagedNetworkError
from memorize_jax.runs.run import Run


class Sources(NamedTuple):
    """What `unit_tables.make_table` asks of a unit.

    Attributes:
      made_of: key -> folder, epoch and checksum of its networks, none of which is read; None where one is missing.
      still_holds: key, and what was noted -> whether its networks are the same, and can be read.
    """

    made_of: Callable[[Any], list | None]
    still_holds: Callable[[Any, Any], bool]


def sources_of(run: Run, work: Work, others: Mapping[str, Mapping], *, skip_damaged: bool) -> Sources:
    """Where the rows of a run's units come from.

    Args:
      others: the other runs that the measurement reads, as `describe_others` tells them.
      skip_damaged: whether a unit may pass over networks that cannot be read; such a unit is made again.
    """
    runs = {"": run}

    @functools.cache
    def checksum(folder, epoch):
        return _unless_damaged(lambda: runs[folder].network_checksum(epoch))

    @functools.cache
    def is_readable(folder, epoch):
        return _unless_damaged(lambda: runs[folder].network(epoch)) is not None

    def places_of(unit):
        """(folder, epoch) of the networks that a unit reads; "" for the run itself."""
        own = run.stored_epochs if work.reads is None else work.reads(unit)
        places = [("", epoch) for epoch in sorted({*own})]
        for other, epoch in () if work.reads_of_others is None else work.reads_of_others(unit):
            runs[str(other.workdir)] = other
            places.append((str(other.workdir), epoch))
        return places

    def read_somewhere():
        """Other runs of which it is not known what a unit reads."""
        return [[folder, dict(about)] for folder, about in others.items()] if work.reads_of_others is None else []

    def made_of(unit):
        places = places_of(unit)
        found = [[*place, checksum(*place)] for place in places]
        is_whole = all(found_checksum for *_, found_checksum in found)
        if not is_whole or (skip_damaged and not all(is_readable(*place) for place in places)):
            return None
        return [*found, *read_somewhere()]

    def still_holds(unit, noted):
        places, somewhere = places_of(unit), read_somewhere()
        if len(noted) != len(places) + len(somewhere) or noted[len(places) :] != somewhere:
            return False
        return all(map(holds, places, noted))

    def holds(place, noted):
        folder, epoch = place
        if noted[:2] != [folder, epoch]:
            return False
        # A loop that is watched keeps some of its networks; rows of others are all that is left of them.
        if run.watched and not folder and epoch not in run.stored_epochs:
            return True
        return noted[2] == checksum(*place) and is_readable(*place)

    return Sources(made_of, still_holds)


def _unless_damaged(read):
    try:
        return read()
    except DamagedNetworkError:
        return None
