"""A run is a folder: where things are in it, and which folders below a folder are runs."""

import os
import pathlib

from memorize_jax.invocation import command_line_of


class RunFolder:
    """Paths of a run folder."""

    def __init__(self, workdir: str | pathlib.Path):
        self.workdir = pathlib.Path(workdir).expanduser()
        self.config = self.workdir / "config.json"
        # A sweep's table of its runs; no run has one.
        self.sweep = self.workdir / "runs.csv"
        self.labels = self.workdir / "labels.npz"
        # Examples of a run that was watched; others are read from where their data set is.
        self.data = self.workdir / "watched.npz"
        self.metrics = self.workdir / "metrics.csv"
        self.metrics_note = self.workdir / "metrics.json"
        # Of the program whose run was watched.
        self.own_metrics = self.workdir / "own_metrics.csv"
        self.restores = self.workdir / "restores.csv"
        # Under which id loggers know the run, and what they have been given.
        self.loggers = self.workdir / "loggers.json"
        self.checkpoints = self.workdir / "checkpoints"
        self.results = self.workdir / "results"
        self.figures = self.workdir / "figures"
        self.report = self.workdir / "report.html"


def member_folders(workdir: str | pathlib.Path) -> list[pathlib.Path]:
    """The runs of an ensemble, its folders `seed_0`, `seed_1`, ... by seed; empty for a run itself, or nothing."""
    folder = RunFolder(workdir)
    if folder.config.is_file():
        return []
    found = [path for path in folder.workdir.glob("seed_*") if RunFolder(path).config.is_file()]
    return sorted((path for path in found if path.name[5:].isdecimal()), key=lambda path: int(path.name[5:]))


def runs_in(workdir: str | pathlib.Path) -> list[RunFolder]:
    """The run in a folder, or the runs in the folders below: of an ensemble, a sweep, several widths."""
    folder = RunFolder(workdir)
    if folder.config.is_file():
        return [folder]
    found = [*folder.workdir.glob("*/config.json"), *folder.workdir.glob("*/*/config.json")]
    return [RunFolder(path.parent) for path in sorted(found)]


def check_writable(workdir: pathlib.Path) -> None:
    """Raises OSError, saying why, unless files can be made under `workdir`; makes nothing."""
    nearest = nearest_folder(workdir)
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(f"workdir {workdir}: no permission to write in {nearest}")


def nearest_folder(workdir: pathlib.Path) -> pathlib.Path:
    """The nearest folder above or at a path that exists; raises NotADirectoryError if it is a file."""
    nearest = workdir.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir():
        raise NotADirectoryError(f"workdir {workdir}: {nearest} is not a folder")
    return nearest


def sweep_command(folder: RunFolder) -> str:
    """The command that resumes the sweep in a folder; its own flags are not known."""
    name = "double_descent" if next(folder.workdir.glob("width_*"), None) else "sweep"
    return f"{command_line_of(name, folder.workdir)} and the flags of the sweep"


def instead_of_run(run: RunFolder) -> str:
    """What a folder without a run holds instead, or how to make a run there."""
    if (run.results / "geometry.csv").is_file() and (run.figures / "geometry.svg").is_file():
        made = "results/geometry.csv and figures/geometry.svg"
        return f"it holds results of geometry --points, from which only {made} are made"
    if members := member_folders(run.workdir):
        return f"it holds an ensemble; give one of its seeds, e.g. {members[0]}, or open all of them with open_study"
    if (above := RunFolder(run.workdir.parent)).sweep.is_file():
        return f"it is of the sweep in {above.workdir}; resume that with: {sweep_command(above)}"
    return f"train one with: {command_line_of('train', run.workdir)}"


def check_no_ensemble(workdir: str | pathlib.Path) -> None:
    """Raises ValueError if the folder holds an ensemble, beside whose seeds a run would hide them."""
    if members := member_folders(workdir):
        held = ",".join(member.name.removeprefix("seed_") for member in members)
        raise ValueError(f"workdir {workdir} holds an ensemble; resume it with --seeds={held}")


def check_no_sweep(workdir: str | pathlib.Path) -> None:
    """Raises ValueError if the folder holds a sweep, in which no run can be made or read; names one of its runs."""
    run = RunFolder(workdir)
    if not run.sweep.is_file():
        return
    if run.config.is_file():
        both = "holds a run (config.json) and a sweep (runs.csv)"
        raise ValueError(f"{run.workdir} {both}; move one of them to another folder")
    folders = [one.workdir.relative_to(run.workdir).parts[0] for one in runs_in(run.workdir)]
    example = f"e.g. {run.workdir / folders[0]}" if folders else "once there are some"
    raise ValueError(f"{run.workdir} holds a sweep; give one of its runs as --workdir, {example}")
