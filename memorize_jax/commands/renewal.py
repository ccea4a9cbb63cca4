"""A page that is renewed while a run goes on."""

import pathlib
import re
import time
from collections.abc import Callable

from memorize_jax.runs.folder import RunFolder, runs_in
from memorize_jax.storage.files import replacing

# A browser looks again so often, and a page is written no more often.
SECONDS = 30
# Writing takes no more than a quarter of the time: the run needs the processor.
PAUSE = 3
# Tables that are written with the page.
WITH_PAGE = ("claims.csv", "over_seeds.csv")
RENEWED = re.compile(r'<meta http-equiv="refresh"[^>]*>\n?')


def renew(
    workdir: str | pathlib.Path,
    write: Callable[[int], pathlib.Path],
    shown: Callable[[pathlib.Path], None],
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Writes a page whenever the tables of a study have changed, until it is interrupted.

    Args:
      write: takes after how many seconds a browser loads the page again; returns its path.
      shown: called with the path once, when there is a page.
      wait: for so many seconds.
    """
    seen, page = None, None
    try:
        while True:
            started, tables = time.monotonic(), state(workdir)
            if tables and tables != seen:
                try:
                    written = write(SECONDS)
                except (FileNotFoundError, ValueError) as error:
                    # A table may be being written.
                    print(f"not yet: {' '.join(str(error).split())}", flush=True)
                else:
                    print(f"report: {written}", flush=True)
                    if page is None:
                        shown(written)
                    seen, page = tables, written
            wait(max(SECONDS, PAUSE * (time.monotonic() - started)))
    finally:
        if page is not None:
            _settle(page)


def state(workdir: str | pathlib.Path) -> dict[pathlib.Path, int]:
    """Path of every table that a run, or the runs below a folder, have made -> when it was changed."""
    runs = [RunFolder(workdir), *runs_in(workdir)]
    tables = {path for run in runs for path in (run.metrics, *run.results.glob("*.csv")) if path.name not in WITH_PAGE}
    return {path: path.stat().st_mtime_ns for path in tables if path.is_file()}


def _settle(page: pathlib.Path) -> None:
    """Has browsers load a page no more again: nobody renews it."""
    text = page.read_text(encoding="utf-8")
    with replacing(page) as beside:
        beside.write_text(RENEWED.sub("", text, count=1), encoding="utf-8")
