"""What units of work are made of: the networks that they read, so that rows serve only while these are as they were."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from memorize_jax.measurements.measurement import Work
from memorize_jax.runs.networks import DamagedNetworkError
from memorize_jax.runs.run import Run


class Sources(NamedTuple):
    """What `unit_tables.make_table` asks of a unit; takes its key.

    Attributes:
      made_of: the checksums of its networks, none of which is read; None where one is missing or damaged.
      is_sound: whether its networks can be read.
    """

    made_of: Callable[[Any], list | None]
    is_sound: Callable[[Any], bool]


def sources_of(run: Run, work: Work) -> Sources:
    """Where the networks of a run's units come from."""

    @functools.cache
    def is_readable(place):
        return _unless_damaged(lambda: places[place][0].network(places[place][1])) is not None

    @functools.cache
    def checksum(place):
        return _unless_damaged(lambda: places[place][0].network_checksum(places[place][1]))

    # A run holds much that is not hashable.
    places: dict[tuple[str, int], tuple[Run, int]] = {}

    def places_of(unit):
        if run.watched:
            # Those of a loop that goes on are new.
            return []
        own = run.stored_epochs if work.reads is None else work.reads(unit)
        found = [(run, epoch) for epoch in sorted({*own})] + list(work.reads_of_others(unit))
        named = {(str(one.workdir), epoch): (one, epoch) for one, epoch in found}
        places.update(named)
        return list(named)

    def made_of(unit):
        found = [(epoch, checksum((folder, epoch))) for folder, epoch in places_of(unit)]
        return None if None in (of for _, of in found) else found

    return Sources(made_of, lambda unit: all(map(is_readable, places_of(unit))))


def _unless_damaged(read):
    try:
        return read()
    except DamagedNetworkError:
        return None
