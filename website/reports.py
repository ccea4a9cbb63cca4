"""Draws the reports of the committed studies into build/reports, for the gallery: python -m website.reports [NAME ...].

The site has those that are there when it is built; this takes up to half a minute for each, and needs the package.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parent.parent
RESULTS, REPORTS = ROOT / "docs" / "results", ROOT / "build" / "reports"


def draw(study: pathlib.Path, target: pathlib.Path) -> None:
    """Draws the report of a study, from a copy, into a file; raises CalledProcessError where there is none of it."""
    with tempfile.TemporaryDirectory() as place:
        copy = shutil.copytree(study, pathlib.Path(place) / study.name)
        subprocess.run([sys.executable, "-m", "experiments.report", f"--workdir={copy}"], cwd=ROOT, check=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(copy / "report.html", target)


if __name__ == "__main__":
    for name in sys.argv[1:] or sorted(path.name for path in RESULTS.iterdir() if path.is_dir()):
        draw(RESULTS / name, REPORTS / f"{name}.html")
