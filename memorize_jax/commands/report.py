"""Draws the figures of a study, judges the paper's claims on it and writes report.html, one self-contained page.

    python -m experiments.report --workdir=runs/mine --open
    python -m experiments.report --workdir=runs/mine --watch
    python -m experiments.report --workdirs=runs/a,runs/b,runs/c --workdir=runs/compared

Of an ensemble, every member gets a page, and the ensemble one over all seeds and results/over_seeds.csv. With --watch
the page is renewed while a run goes on, in a browser too. The last command writes comparison.html into --workdir, or
beside the first: several studies side by side.
"""

import pathlib
import webbrowser
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from memorize_jax.claims.sheet import evaluate
from memorize_jax.claims.statement import Claim
from memorize_jax.commands import claims, cli, renewal
from memorize_jax.epochs import at_stages
from memorize_jax.figures.figure import Figure
from memorize_jax.figures.joint import LABELS, is_bound
from memorize_jax.invocation import MODULE, SCRIPT, command_line_of
from memorize_jax.measurements.registry import open_study, statements
from memorize_jax.report.comparison_page import Compared, comparison_page
from memorize_jax.report.drawn import Picture, picture_of
from memorize_jax.report.study_page import study_page
from memorize_jax.runs.folder import RunFolder, check_writable, member_folders
from memorize_jax.statistics import over_seeds
from memorize_jax.storage.files import replacing
from memorize_jax.studies.study import Study

# What results/over_seeds.csv has a row for, with each measure.
BY = ("stage", "group", "layer", "layer_number")


def run(
    workdir: str | pathlib.Path, *, renewed_every: int = 0, picture: Callable[[Figure, Study], Picture] = picture_of
) -> tuple[pathlib.Path, list[Claim]]:
    """Writes figures/, results/claims.csv and report.html of a study; returns the path of the report and the claims.

    A browser loads the page again after `renewed_every` seconds; 0 for never. `picture` draws a figure.
    """
    check_writable(RunFolder(workdir).workdir)
    study = open_study(workdir)
    judged = claims.judge(study)
    folder = RunFolder(study.workdir)
    if not study.axes and len(study.seeds) > 1 and "geometry" in study.tables:
        # Mean and interval of the geometry over seeds, at the best and the final epoch.
        rows = at_stages(study.tables["geometry"], {seed: study.metrics_of(seed) for seed in study.seeds})
        with replacing(folder.results / "over_seeds.csv") as beside:
            geometry_over_seeds(rows).to_csv(beside, index=False)
    how = {"renewed_every": renewed_every, "picture": picture}
    return _write(folder.report, study_page(study, judged, commands(study), **how)), judged


def geometry_over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean and interval over seeds of every measure of the geometry, and of how many seeds it is only an upper bound.

    A mean with an upper bound among its values is one too, and has no interval.
    """
    found = over_seeds(rows, BY, list(LABELS))
    counts = is_bound(rows).groupby([rows[name] for name in BY]).sum().rename("num_bounds").reset_index()
    found = found.merge(counts, on=list(BY), how="left")
    found["num_bounds"] = found["num_bounds"].where(found["measure"] == "joint_capacity", 0)
    found.loc[found["num_bounds"] > 0, ["low", "high"]] = np.nan
    return found


def run_all(
    workdir: str | pathlib.Path, picture: Callable[[Figure, Study], Picture] = picture_of
) -> tuple[pathlib.Path, list[Claim]]:
    """Writes the report of a run; or those of the members of an ensemble, and that of the ensemble, as `run` does."""
    for member in member_folders(workdir):
        print(f"report: {run(member, picture=picture)[0]}", flush=True)
    return run(workdir, picture=picture)


def compare(workdirs: Sequence[str], out: str | pathlib.Path | None = None) -> pathlib.Path:
    """Writes comparison.html, at least two studies side by side, into the folder `out`, or that of the first study.

    Raises:
      ValueError: fewer than two different folders, or one that is not on this machine.
    """
    for workdir in workdirs:
        if "://" in workdir:
            raise ValueError(f"expected --workdirs to be folders on this machine, got {workdir}")
    different = {RunFolder(workdir).workdir.resolve() for workdir in workdirs}
    if len(different) < max(len(workdirs), 2):
        got = ",".join(workdirs) or "none"
        raise ValueError(f"expected --workdirs=A,B,... with two or more different folders, got {got}")
    folder = RunFolder(out or RunFolder(workdirs[0]).workdir.parent).workdir
    check_writable(folder)
    studies = [open_study(workdir) for workdir in workdirs]
    judged = [evaluate(study, statements()) for study in studies]
    folder.mkdir(parents=True, exist_ok=True)
    compared = [Compared(*one) for one in zip(short_names(workdirs), studies, judged, strict=True)]
    return _write(folder / "comparison.html", comparison_page(compared))


def _write(path, page):
    with replacing(path) as beside:
        beside.write_text(page, encoding="utf-8")
    return path


def short_names(workdirs: Sequence[str]) -> list[str]:
    """The ends of paths, as long as it takes to tell them apart."""
    parts = [pathlib.Path(workdir).expanduser().absolute().parts for workdir in workdirs]
    length = 1
    while len({own[-length:] for own in parts}) < len(parts) and length < max(map(len, parts)):
        length += 1
    return ["/".join(own[-length:]) for own in parts]


def commands(study: Study) -> list[str]:
    """The lines that make the study again, this one's own at the end where none of them writes a report."""
    lines = list(study.commands)
    if lines and not any(line.startswith((f"{MODULE}reproduce", f"{SCRIPT}reproduce")) for line in lines):
        lines.append(command_line_of("report", study.workdir))
    return lines


def main() -> None:
    """Reads the flags and writes the report, or the comparison."""
    if cli.FLAGS.workdirs:
        workdirs = [part.strip() for part in cli.FLAGS.workdirs.split(",") if part.strip()]
        page = compare(workdirs, cli.FLAGS.workdir)
        print(f"comparison: {page}")
        if cli.FLAGS.open:
            _open(page)
        return
    workdir = cli.required_workdir()
    if cli.FLAGS.watch:
        write = lambda seconds: run(workdir, renewed_every=seconds)[0]
        renewal.renew(workdir, write, _open if cli.FLAGS.open else lambda page: None)
        return
    page = run_all(workdir)[0]
    print(f"report: {page}")
    if cli.FLAGS.open:
        _open(page)


def _open(page: pathlib.Path) -> None:
    """Shows a page in the browser of this machine; says where it is if there is none."""
    if not webbrowser.open(page.absolute().as_uri()):
        print(f"no browser here; the page is {page.absolute()}")


def define() -> None:
    """Defines the flags."""
    cli.flags_of_all()
    cli.switch("open", "Show the page in a browser.")
    cli.switch("watch", "Renew the page while a run goes on, until Ctrl-C.")
    cli.flag("workdirs", "Folders of several studies with commas between them, to show side by side.")
