"""What a measurement is: everything that the rest of the project knows about one of its rooms."""

import dataclasses
import importlib
import importlib.util
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from memorize_jax.config import RunConfig, Settings
from memorize_jax.data import Splits


class Work(NamedTuple):
    """What is to be done for one run, unit by unit; what a room's `plan` returns.

    Attributes:
      units: keys of the units in the order of the table: numbers, strings or tuples of them.
      rows: takes a key and gives the rows of the first table.
      reads: takes a key and gives the epochs whose networks the unit reads, so that its rows are taken again only while
        these are as they were. None: it may read any.
      reads_of_others: takes a key and gives (run, epoch) of the networks of other runs that it reads. None: it may read
        anything of them.
      depends_on: what the rows depend on besides the run; None for all settings that do not choose epochs.
      instead: takes the key of a unit whose network is damaged, and gives the rows that stand for it.
      counted: what the progress bar calls a unit; "" for no bar.
      derived: name of another table -> function from the first table to its rows.
    """

    units: Sequence[Hashable]
    rows: Callable[[Any], list[dict]]
    reads: Callable[[Any], Iterable[int]] | None = None
    reads_of_others: Callable[[Any], Iterable[tuple[Any, int]]] | None = None
    depends_on: Mapping[str, Any] | None = None
    instead: Callable[[Any], list[dict]] = lambda unit: []
    counted: str = ""
    derived: Mapping[str, Callable[[pd.DataFrame], list[dict]]] = {}


class Table(NamedTuple):
    """A table of a measurement.

    Attributes:
      columns: in order.
      text: those that hold text; all others hold numbers.
      added: those that tables of the first version lack, where they read as NaN.
      meanings: column -> what it means, a clause with its unit, the values of text and what NaN says; of its own
        columns, and of those that mean something else than `columns.COMMON` says.
    """

    columns: tuple[str, ...]
    text: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()
    meanings: Mapping[str, str] = {}


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A room of `memorize_jax/measurements`.

    A room is a package, or a file, with this as `MEASUREMENT`, and whatever of these it has, in a module of its own or
    in the room itself: `plan(run, *settings) -> Work` (module measure), `FIGURES` (figures), `STATEMENTS` (statements),
    `SECTION` (section). They are imported when they are first asked for.

    Attributes:
      name: of its command, of its settings in config.json.
      summary: what it measures, in a line.
      room: module, `__name__` where this is written.
      tables: name -> Table; units of work make the rows of the first.
      settings: class of its settings, whose fields are its flags; None if it has none.
      reads: names of other measurements whose settings it reads too: those of the same manifolds.
      reads_flags: fields of these that are flags of its command.
      affected_by: fields of these that its tables depend on; None for all. Others may change, as which epochs another
        measurement chooses, and nothing is measured again.
      takes_rows_of: names of measurements whose rows it takes where they are there, and else measures itself; where all
        are made, these come before it.
      axes: fields that vary in the studies that it belongs to, e.g. ("width",); () for a study of one network.
      of_final: whether its rows depend on which epoch is the final one, so that further training makes them void.
      on_request: whether it takes so long that `reproduce` only says what it would take.
      of_any_network: whether it reads networks as they are; otherwise it trains, differentiates or edits them, for
        which they must be of this package.
      other_runs: takes the settings and gives the folders of other runs that it reads, see `Run.open_other`.
      package: that it needs besides what is always installed: (name to import, how to install it).
      obstacle: why it makes no sense for a run, e.g. because of its data set; "" if it does.
      check: takes (config, splits, labels, *settings) and raises ValueError for what can be known to be wrong before
        training.
      cost: takes (work, *settings) and gives (seconds or None, bytes or None), see `costs.Workload`.
    """

    name: str
    summary: str
    room: str
    tables: Mapping[str, Table]
    settings: type[Settings] | None = None
    reads: tuple[str, ...] = ()
    reads_flags: tuple[str, ...] = ()
    affected_by: tuple[str, ...] | None = None
    takes_rows_of: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    of_final: bool = False
    on_request: bool = False
    of_any_network: bool = True
    other_runs: Callable[..., Sequence[str]] = lambda *settings: ()
    package: tuple[str, str] | None = None
    obstacle: Callable[[RunConfig, Splits | None], str] = lambda config, splits: ""
    check: Callable[..., None] = lambda config, splits, labels, *settings: None
    cost: Callable[..., tuple[float | None, float | None]] = lambda work, *settings: (None, None)

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the settings that it takes."""
        return (*((self.name,) if self.settings else ()), *self.reads)

    @property
    def plan(self) -> Callable[..., Work] | None:
        """Takes an opened run and the settings of `parts`; None for a room that measures nothing itself."""
        return self._found("measure", "plan", None)

    @property
    def measures(self) -> bool:
        """Whether it measures anything itself; imports nothing for that."""
        return self._place("measure", "plan") is not None

    @property
    def figures(self) -> tuple:
        """Its entries of the catalog of figures."""
        return tuple(self._found("figures", "FIGURES", ()))

    @property
    def statements(self) -> tuple:
        """Its statements for the claims sheet."""
        return tuple(self._found("statements", "STATEMENTS", ()))

    @property
    def section(self):
        """Its section of the report, see `pages.section.Section`; None if it has none."""
        return self._found("section", "SECTION", None)

    def why_not(self, config: RunConfig, splits: Splits | None = None) -> str:
        """Why it cannot be measured for a run: other data, or a package that is not installed; "" if it can."""
        if self.package and importlib.util.find_spec(self.package[0]) is None:
            return f"needs {self.package[0]}: {self.package[1]}"
        if config.is_watched and not self.of_any_network:
            return "it needs a network of this package, which it can build anew, and this one was watched"
        return self.obstacle(config, splits)

    def _place(self, module, name):
        """Name of the module that holds a part of the room; None if there is none."""
        room = importlib.import_module(self.room)
        if name in vars(room):
            return self.room
        if not hasattr(room, "__path__") or importlib.util.find_spec(f"{self.room}.{module}") is None:
            return None
        return f"{self.room}.{module}"

    def _found(self, module, name, otherwise):
        place = self._place(module, name)
        return getattr(importlib.import_module(place), name) if place else otherwise
