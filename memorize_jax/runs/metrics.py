"""metrics.csv and restores.csv, and the note beside them by which a row that was changed, lost or added is known."""

import pathlib
import time
import zlib
from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd

from memorize_jax.epochs import held_out
from memorize_jax.invocation import command_line_of
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.noted import read_noted
from memorize_jax.runs.notes import file_checksum
from memorize_jax.storage.files import checksum, read_json, write_json, write_text
from memorize_jax.storage.tables import METRICS, RESTORES, read_table, table_text

# While training metrics.csv is written with every training state, for what follows the newest is trained again after a
# kill; for those who look on, besides, as often as takes this share of the time.
WRITING_SHARE = 0.02
# How often, and how far apart, metrics are read while training writes them.
ATTEMPTS, WAIT_SECONDS = 5, 0.1


def write_metrics(workdir: pathlib.Path, rows: Sequence[dict], identity: str | None) -> None:
    """Writes metrics.csv, of all epochs; before it the note, so that rows without one are rows that somebody added."""
    files, text = RunFolder(workdir), table_text(rows, METRICS)
    if identity is not None:  # a run of the first version has neither identity nor note
        _note(files, identity, rows=_chain(text.encode(), identity))
    write_text(files.metrics, text)


def forget_rows(run: RunFolder, rows: Sequence[dict], identity: str | None) -> None:
    """Has metrics.csv end with these of its rows before training adds to them.

    Else, killed between note and table, the note would have new times of epochs of which the table has the old ones.
    """
    if rows:
        return write_metrics(run.workdir, rows, identity)
    if identity is not None:
        _note(run, identity, rows=[])
    run.metrics.unlink()


class MetricsFile:
    """metrics.csv of a run in training; its `rows` are written from time to time, and when it is closed."""

    def __init__(self, folder: RunFolder, identity: str | None):
        self.rows: list[dict] = []
        self._folder, self._identity = folder, identity
        self._waits, self._written, self._cost = False, -np.inf, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A run that was deleted does not come back in parts.
        if self._waits and self._folder.config.is_file():
            self.write(at_once=True)

    def write(self, *, at_once: bool) -> None:
        """Writes the rows, there being a new one, or leaves that for later unless it has to be `at_once`."""
        started = time.monotonic()
        self._waits = not at_once and started - self._written < self._cost / WRITING_SHARE
        if not self._waits:
            write_metrics(self._folder.workdir, self.rows, self._identity)
            self._written = time.monotonic()
            self._cost = self._written - started


def read_metrics(workdir: pathlib.Path, identity: str | None, *, resuming: bool = False) -> pd.DataFrame:
    """Reads metrics.csv, with a row for each epoch from 0, and compares every row with the note.

    If training is about to continue, rows at the end without a note, or a note without rows, are what a killed process
    or a bucket left between two writings; the rows that both have are returned.

    Raises:
      FileNotFoundError: no metrics; says what makes them.
      ValueError: a row was changed, lost, added, repeated or moved, or has no numbers; names the file and the epoch.
    """
    files = RunFolder(workdir)
    train = command_line_of("train", workdir)
    again = f"restore it from a copy, or remove it and train again: {train}"
    # Training may be writing: a row and its note are not there at once.
    for _ in range(ATTEMPTS if identity is not None and not resuming else 1):
        before = _noted_rows(files, identity)
        content = files.metrics.read_bytes() if files.metrics.is_file() else b""
        table = read_table(files.metrics, METRICS, train)
        noted, found = _noted_rows(files, identity), _chain(content, identity or "")
        if len(table) == len(found) and len(before) <= len(found) <= len(noted):
            break
        time.sleep(WAIT_SECONDS)
    count = min(len(found), len(noted)) if identity is not None else len(table)
    if identity is not None:
        changed = next((row for row in range(count) if found[row] != noted[row]), None)
        if changed is not None:
            fault = f"it is not as training wrote it, from the row of epoch {changed} on"
            raise ValueError(f"{files.metrics} is damaged: {fault}; {again}")
        if not resuming and len(found) < len(before):
            lost = f"lacks the rows of epochs {len(found)} to {len(before) - 1}"
            raise ValueError(f"{files.metrics} {lost}: training was killed, or they were removed; resume with: {train}")
        if not resuming and len(found) > len(noted):
            raise ValueError(f"{files.metrics} has rows that training did not write, from epoch {count} on; {again}")
    table = table.iloc[:count]
    wrong = np.flatnonzero(table["epoch"].to_numpy() != np.arange(count))
    if len(wrong):
        raise ValueError(f"{files.metrics} is damaged: its epochs do not count up from 0 (row {wrong[0]}); {again}")
    accuracies = [column for column in METRICS if column.endswith("_accuracy")]
    good = np.isfinite(table[["loss", "train_accuracy"]].to_numpy()).all(axis=1) & np.isfinite(held_out(table))
    good &= ~((table[accuracies] < 0) | (table[accuracies] > 1)).to_numpy().any(axis=1)
    if not good.all():
        raise ValueError(f"{files.metrics} is damaged: no loss or no accuracy in epoch {np.argmin(good)}; {again}")
    return table


def stored_rows(run: RunFolder) -> list[dict]:
    """The rows of metrics.csv from which training can resume, see `read_metrics`; empty if there is none."""
    if not run.metrics.is_file():
        return []
    return read_metrics(run.workdir, read_noted(run).identity, resuming=True).to_dict("records")


def write_restores(workdir: pathlib.Path, rows: Sequence[dict], identity: str | None) -> None:
    """Writes restores.csv, the times the learning rate was halved, as `write_metrics` writes metrics.csv."""
    files, text = RunFolder(workdir), table_text(rows, RESTORES)
    if identity is None:
        return write_text(files.restores, text)
    # Until the file is replaced it is the old one.
    new = checksum(text.encode())
    _note(files, identity, restores=[file_checksum(files.restores), new])
    write_text(files.restores, text)
    _note(files, identity, restores=[new])


def read_restores(workdir: pathlib.Path, identity: str | None) -> list[dict]:
    """Reads restores.csv; empty if the rate was never halved; raises ValueError unless it is as training wrote it."""
    files = RunFolder(workdir)
    found = file_checksum(files.restores)
    if identity is not None and found not in _read_note(files, identity).get("restores", [None]):
        raise ValueError(f"{files.restores} is not as training wrote it; restore it from a copy, or train again")
    return read_table(files.restores, RESTORES, "training").to_dict("records") if found else []


def _noted_rows(files, identity):
    rows = [] if identity is None else _read_note(files, identity).get("rows", [])
    if not isinstance(rows, list):
        raise ValueError(f"{files.metrics_note} is damaged: expected a list of rows, got {rows!r:.60}")
    return rows


def _chain(content, identity):
    """CRC-32 of the run and all lines up to each row."""
    head, *rows = content.splitlines(keepends=True) or [b""]
    state, chain = zlib.crc32(head, zlib.crc32(identity.encode())), []
    for row in rows:
        state = zlib.crc32(row, state)
        chain.append(f"{state:08x}")
    return chain


def _note(files, identity, **parts):
    held = _read_note(files, identity) if files.metrics_note.is_file() else {"identity": identity}
    write_json(files.metrics_note, held | parts)


def _read_note(files, identity):
    if not files.metrics_note.is_file():
        if files.metrics.is_file() or files.restores.is_file():
            raise ValueError(f"{files.metrics_note} is missing, the note of {files.metrics}; restore it from a copy")
        return {}
    content, has_checksum = read_json(files.metrics_note)
    if not has_checksum or content.get("identity") != identity:
        advice = "restore it from a copy, or remove it and train again"
        raise ValueError(f"{files.metrics_note} belongs to another run; {advice}")
    return content
