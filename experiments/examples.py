"""Takes a few training images out of a run, with the labels they have and the labels they were given.

    python -m experiments.examples --workdir=runs/mine

Writes results/examples.csv and figures/fig1a.svg in the run's folder; for an ensemble, the table of all of its seeds.
"""

import base64

import jax
import numpy as np

from experiments import cli
from experiments.trained import Trained, analysis, run_chosen
from memorize_jax.config import RunConfig
from memorize_jax.data import Splits
from memorize_jax.keys import stream
from memorize_jax.storage.tables import EXAMPLES, write_table

SHOWN = 8


def obstacle(config: RunConfig, splits: Splits) -> str:
    """Why a run has no images to show; "" if it has."""
    images = splits.train.images
    if images.dtype == np.uint8 and images.ndim == 4:
        return ""
    return f"the examples of data set {config.dataset} are not images of whole numbers from 0 to 255"


@analysis("examples")
def run(trained: Trained) -> None:
    """Writes results/examples.csv of a run: random unpermuted and permuted training examples."""
    if why := obstacle(trained.config, trained.splits):
        raise ValueError(f"no examples to show of the run in {trained.folder.workdir}: {why}")
    images, seed = trained.splits.train.images, trained.config.seed
    key = np.asarray(jax.random.key_data(stream(seed, "shown examples"))).ravel()
    order = np.random.default_rng(key).permutation(len(images))
    rows = []
    for group, permuted in (("unpermuted", False), ("permuted", True)):
        for example in order[trained.labels.is_permuted[order] == permuted][:SHOWN]:
            height, width, channels = images[example].shape
            about = {"seed": seed, "group": group, "example": int(example)}
            labels = {name: int(getattr(trained.labels, name)[example]) for name in ("true", "assigned")}
            pixels = base64.b64encode(np.ascontiguousarray(images[example])).decode()
            shape = {"height": height, "width": width, "channels": channels}
            rows.append({**about, **labels, **shape, "pixels": pixels})
    write_table(trained.folder.results / "examples.csv", rows, EXAMPLES)


if __name__ == "__main__":
    cli.start(lambda: run_chosen("examples", run, ("fig1a",)), cli.define_workdir)
