"""Draws the figures of a study, judges the paper's claims on it and writes report.html, one self-contained page.

    python -m experiments.report --workdir=runs/mine
    python -m experiments.report --workdirs=runs/a,runs/b,runs/c --workdir=runs/compared

Of an ensemble, every member gets a page, and the ensemble one over all seeds and results/over_seeds.csv. The second
command writes comparison.html into --workdir, or beside the first: several studies side by side.
"""

import pathlib
import shlex

from memorize_jax.claims.sheet import evaluate
from memorize_jax.claims.statement import Claim
from memorize_jax.commands import claims, cli
from memorize_jax.epochs import at_stages
from memorize_jax.measurements.geometry.figures import MEASURES
from memorize_jax.measurements.registry import open_study, statements
from memorize_jax.report.comparison_page import Compared, comparison_page
from memorize_jax.report.study_page import Making, study_page
from memorize_jax.runs.folder import Run, check_writable, member_folders, runs_in
from memorize_jax.runs.noted import read_config, read_noted, read_provenance
from memorize_jax.runs.notes import read_notes
from memorize_jax.statistics import over_seeds
from memorize_jax.storage.files import replacing
from memorize_jax.studies.study import Study


def run(workdir: str | pathlib.Path) -> tuple[pathlib.Path, list[Claim]]:
    """Writes figures/, results/claims.csv and report.html of a study.

    Args:
      workdir: folder of a run, an ensemble, a sweep or networks of growing width; its tables are shown that there are.

    Returns:
      Path of the report, and the claims.

    Raises:
      FileNotFoundError: nothing was trained there; says which command does.
    """
    folder = Run(workdir)
    check_writable(folder.workdir)
    study = open_study(workdir)
    judged = claims.judge(study)
    if not study.axes and len(study.seeds) > 1 and "geometry" in study.tables:
        _write_over_seeds(study, folder.results / "over_seeds.csv")
    making = Making(_settings(folder), _versions(folder), commands(workdir))
    return _write(folder.report, study_page(study, judged, making, folder.figures)), judged


def run_all(workdir: str | pathlib.Path) -> tuple[pathlib.Path, list[Claim]]:
    """Writes the report of a run; or those of the members of an ensemble, and that of the ensemble.

    Args:
      workdir: of the study.

    Returns:
      Path of the report, of that over all seeds where there are several, and its claims.
    """
    for member in member_folders(workdir):
        print(f"report: {run(member)[0]}", flush=True)
    return run(workdir)


def compare(workdirs: list[str], out: str | pathlib.Path | None = None) -> pathlib.Path:
    """Writes comparison.html: several studies side by side.

    Args:
      workdirs: of the studies, at least two.
      out: folder for the page, made if needed; None for the one that holds the first study.

    Returns:
      Path of the page.

    Raises:
      ValueError: fewer than two different folders, or one that is not on this machine.
      FileNotFoundError: nothing was trained in one of them.
    """
    for workdir in workdirs:
        if "://" in workdir:
            raise ValueError(f"expected --workdirs to be folders on this machine, got {workdir}")
    different = {Run(workdir).workdir.resolve() for workdir in workdirs}
    if len(different) < max(len(workdirs), 2):
        raise ValueError(
            f"expected --workdirs=A,B,... with two or more different folders, got {','.join(workdirs) or 'none'}"
        )
    folder = Run(out or Run(workdirs[0]).workdir.parent)
    check_writable(folder.workdir)
    compared = []
    for name, workdir in zip(_short_names(workdirs), workdirs, strict=True):
        study = open_study(workdir)
        compared.append(Compared(name, study, evaluate(study, statements()), _settings(Run(workdir))))
    folder.workdir.mkdir(parents=True, exist_ok=True)
    return _write(folder.workdir / "comparison.html", comparison_page(compared))


def _write(path, page):
    with replacing(path) as beside:
        beside.write_text(page, encoding="utf-8")
    return path


def _write_over_seeds(study: Study, path: pathlib.Path) -> None:
    """Writes mean and interval of the geometry over seeds, at the best and the final epoch."""
    rows = at_stages(study.tables["geometry"], {seed: study.metrics_of(seed) for seed in study.seeds})
    by, measures = ["stage", "group", "layer", "layer_number"], [name for name, _ in MEASURES]
    with replacing(path) as beside:
        over_seeds(rows, by, measures).to_csv(beside, index=False)


def _short_names(workdirs):
    """The ends of paths, as long as it takes to tell them apart."""
    parts = [pathlib.Path(workdir).expanduser().absolute().parts for workdir in workdirs]
    length = 1
    while len({own[-length:] for own in parts}) < len(parts) and length < max(map(len, parts)):
        length += 1
    return ["/".join(own[-length:]) for own in parts]


def _settings(folder):
    """Field of the configuration -> its value, or the different values of several runs."""
    configs = [read_config(run) for run in runs_in(folder.workdir)]
    names = configs[0].__dataclass_fields__ if configs else ()
    return {name: _joined(getattr(config, name) for config in configs) for name in names}


def _versions(folder):
    """What the runs noted about versions, device and commit."""
    notes = [_flat(one) for run in runs_in(folder.workdir) for one in read_provenance(run) or [{}]]
    names = dict.fromkeys(name for note in notes for name in note)
    return {name: _joined(note.get(name, "unknown") for note in notes) for name in names}


def _flat(provenance):
    packages = provenance.get("packages", {})
    return {**{name: value for name, value in provenance.items() if name != "packages"}, **packages}


def _joined(values):
    return ", ".join(dict.fromkeys(map(str, values)))


def main() -> None:
    """Reads the flags and writes the report, or the comparison."""
    if cli.FLAGS.workdirs:
        workdirs = [part.strip() for part in cli.FLAGS.workdirs.split(",") if part.strip()]
        print(f"comparison: {compare(workdirs, cli.FLAGS.workdir)}")
        return
    print(f"report: {run_all(cli.required_workdir())[0]}")


def definitions() -> tuple[cli.Definition, ...]:
    """Of the flags."""
    several = "Folders of several studies with commas between them, to show side by side"
    return cli.define_workdir, cli.flag("workdirs", several)


def commands(workdir: str | pathlib.Path) -> list[str]:
    """Command lines, in order and each once, that made a study, as they were given; empty if none was noted."""
    folders = runs_in(workdir)
    trained = [line for folder in folders for line in read_noted(folder).commands]
    places = dict.fromkeys([*(folder.workdir for folder in folders), Run(workdir).workdir])
    measured = [note.get("command") for place in places for note in read_notes(Run(place)).values()]
    lines = list(dict.fromkeys(filter(None, [*trained, *measured])))
    report = f"python -m experiments.report --workdir={shlex.quote(str(workdir))}"
    return [*lines, *([report] if lines and not any("experiments.reproduce" in line for line in lines) else [])]
