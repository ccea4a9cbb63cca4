"""Rows of a run's tables, computed again by PyTorch and SciPy in float64 from the stored networks.

    python -m benchmarks.recomputed --workdir=runs/mine --rows=4

Without the library: the network, its accuracies, the layers that a row is about, subspaces, quadratic programs, draws.
With it: reading epochs, which examples stand for a class, and which shared directions of the centers were removed.
"""

import sys

from absl import app, flags

from benchmarks.recomputed.measures import all_rows, as_table
from memorize_jax.runs.run import open_run

FLAGS = flags.FLAGS
flags.DEFINE_string("workdir", None, "folder of one finished run", required=True)
flags.DEFINE_integer("rows", 4, "rows of each table", lower_bound=1)
flags.DEFINE_integer("draws", 60, "Gaussian vectors of each capacity", lower_bound=2)
flags.DEFINE_integer("seed", 0, "of the choice of rows, and of the draws")


def main(_):
    """Prints both numbers of every row; exits with 1 if any differ."""
    run = open_run(FLAGS.workdir)
    found = as_table(list(all_rows(run, FLAGS.rows, num_draws=FLAGS.draws, seed=FLAGS.seed)))
    print(found.to_string(index=False, float_format="%.4g"))
    print(f"{found['agrees'].sum()} of {len(found)} agree")
    sys.exit(int(not found["agrees"].all()))


if __name__ == "__main__":
    app.run(main)
