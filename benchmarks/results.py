"""docs/results.md, from the tables committed under docs/results.

    python -m benchmarks.results --trim=runs/mine --name=mine    # a finished study, trimmed into docs/results/mine
    python -m benchmarks.results --measure                       # docs/results/measured.csv, about a minute
    python -m benchmarks.results --write                         # figures, docs/results.md

What --write makes follows from the committed files alone, and a test compares.
"""

import re

from absl import app, flags

from benchmarks import document
from benchmarks.measured import measure
from benchmarks.results_page import chosen_figures, page, read_studies
from benchmarks.trimmed import trim
from memorize_jax.pages.svg import compact
from memorize_jax.report.catalog import draw

MODULE = "benchmarks.results"
FOLDER = document.ROOT / "docs" / "results"
PAGE = document.ROOT / "docs" / "results.md"

FLAGS = flags.FLAGS
flags.DEFINE_string("trim", None, "folder of a finished study")
flags.DEFINE_string("name", None, "of its folder in docs/results")
flags.DEFINE_bool("measure", False, "measure what no study does")
flags.DEFINE_bool("write", False, "draw the figures and write the page")


def main(_):
    """Does what is asked for."""
    if bool(FLAGS.trim) != bool(FLAGS.name) or not re.fullmatch(r"\w+", FLAGS.name or "none"):
        raise app.UsageError("expected --trim=FOLDER with --name=NAME, a word")
    if not (FLAGS.trim or FLAGS.measure or FLAGS.write):
        raise app.UsageError("expected --trim, --measure or --write")
    if FLAGS.trim:
        trim(FLAGS.trim, FOLDER / FLAGS.name)
    if FLAGS.measure:
        measure(FOLDER / "measured.csv")
    if FLAGS.write:
        for judged in read_studies(FOLDER):
            draw(judged.study, [figure.name for figure in chosen_figures(judged.study)])
        for path in FOLDER.rglob("*.svg"):
            path.write_text(compact(path.read_text(encoding="utf-8")), encoding="utf-8")
        document.write(MODULE, page(FOLDER), PAGE)


if __name__ == "__main__":
    app.run(main)
