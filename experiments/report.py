"""Draws the figures of a study, judges the paper's claims on it and writes report.html, one self-contained page.

    python -m experiments.report --workdir=runs/mine
    python -m experiments.report --workdirs=runs/a,runs/b,runs/c --workdir=runs/compared

Of an ensemble, every member gets a page, and the ensemble one over all seeds and results/over_seeds.csv. The second
command writes comparison.html into --workdir, or beside the first: several studies side by side.
"""

import pathlib

from experiments import claims, cli
from experiments.repeat import commands
from memorize_jax import figures
from memorize_jax.claims import evaluate
from memorize_jax.epochs import at_stages
from memorize_jax.report import Compared, Making, comparison_page, study_page
from memorize_jax.runs.folder import Run, check_writable, member_folders, runs_in
from memorize_jax.runs.noted import read_config, read_provenance
from memorize_jax.statistics import over_seeds
from memorize_jax.storage.files import replacing
from memorize_jax.studies.study import Study, read_study


def run(workdir: str | pathlib.Path) -> pathlib.Path:
    """Writes figures/, results/claims.csv and report.html of a study.

    Args:
      workdir: folder of a run, an ensemble, a sweep or networks of growing width; its tables are shown that there are.

    Returns:
      Path of the report.

    Raises:
      FileNotFoundError: nothing was trained there; says which command does.
    """
    folder = Run(workdir)
    check_writable(folder.workdir)
    study = read_study(workdir)
    judged = claims.run(workdir)
    if study.kind == "ensemble" and "geometry" in study.tables:
        _write_over_seeds(study, folder.results / "over_seeds.csv")
    making = Making(_settings(folder), _versions(folder), commands(workdir))
    return _write(folder.report, study_page(study, judged, making, folder.figures))


def run_all(workdir: str | pathlib.Path) -> pathlib.Path:
    """Writes the report of a run; or those of the members of an ensemble, and that of the ensemble.

    Args:
      workdir: of the study.

    Returns:
      Path of the report, of the ensemble's for an ensemble.
    """
    for member in member_folders(workdir):
        print(f"report: {run(member)}", flush=True)
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
        study = read_study(workdir)
        compared.append(Compared(name, study, evaluate(study), _settings(Run(workdir))))
    folder.workdir.mkdir(parents=True, exist_ok=True)
    return _write(folder.workdir / "comparison.html", comparison_page(compared))


def _write(path, page):
    with replacing(path) as beside:
        beside.write_text(page, encoding="utf-8")
    return path


def _write_over_seeds(study: Study, path: pathlib.Path) -> None:
    """Writes mean and interval of the geometry over seeds, at the best and the final epoch."""
    rows = at_stages(study.tables["geometry"], {seed: study.metrics_of(seed) for seed in study.seeds})
    by, measures = ["stage", "group", "layer", "layer_number"], [name for name, _ in figures.MEASURES]
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
    print(f"report: {run_all(cli.required_workdir())}")


if __name__ == "__main__":
    workdirs = cli.flag("workdirs", "folders of several studies with commas between them, to show side by side")
    cli.start(main, cli.define_workdir, workdirs)
