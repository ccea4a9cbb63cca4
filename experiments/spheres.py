"""Takes some coordinates of two of the synthetic classes out of a run: what can be told apart on which axis.

    python -m experiments.spheres --workdir=runs/spheres

Writes results/spheres.csv and figures/figa3.svg in the run's folder; for an ensemble, the table of all of its seeds.
"""

from experiments import cli
from experiments.trained import Trained, analysis, run_chosen
from memorize_jax.config import RunConfig
from memorize_jax.data import Splits
from memorize_jax.runs.noted import read_config
from memorize_jax.storage.tables import SPHERES, write_table

AXES = tuple(column for column in SPHERES if column.startswith("axis_"))
DATASETS = ("spheres", "spheres_small")
# The centers of classes 0 and 1 are opposite each other on axis 0.
PAIR = (0, 1)


def obstacle(config: RunConfig, splits: Splits | None = None) -> str:
    """Why a run has no spheres to show; "" if it has."""
    return "" if config.dataset in DATASETS else f"its data set is {config.dataset}, not {' or '.join(DATASETS)}"


def _check(folder):
    if why := obstacle(read_config(folder)):
        raise ValueError(f"no spheres to show of the run in {folder.workdir}: {why}")


@analysis("spheres", before=_check)
def run(trained: Trained) -> None:
    """Writes results/spheres.csv of a run: the training examples of classes 0 and 1 on the first axes."""
    train = trained.splits.train
    rows = [
        {
            "seed": trained.config.seed,
            "example": int(example),
            "label": int(train.labels[example]),
            **{axis: float(train.images[example, number]) for number, axis in enumerate(AXES)},
        }
        for example in range(len(train.labels))
        if train.labels[example] in PAIR
    ]
    write_table(trained.folder.results / "spheres.csv", rows, SPHERES)


if __name__ == "__main__":
    cli.start(lambda: run_chosen("spheres", run, ("figa3",)), cli.define_workdir)
