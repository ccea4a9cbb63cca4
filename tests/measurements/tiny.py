"""A data set of three classes and a network of two layers, on which everything is measured in moments."""

import flax.linen as nn
import jax
import numpy as np

from memorize_jax import data
from memorize_jax.config import RunConfig
from memorize_jax.data import Split, Splits
from memorize_jax.models import Entry
from memorize_jax.models.layers import AFTER_RELU, LOGITS, layer
from memorize_jax.models.network import Network
from memorize_jax.presets import Preset
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.labels import write_labels
from memorize_jax.runs.metrics import write_metrics
from memorize_jax.runs.noted import begin
from memorize_jax.runs.train import train_run
from memorize_jax.storage.tables import METRICS

CLASSES = 3
LAYERS = (layer("linear", 1, AFTER_RELU), layer("linear", 2, LOGITS))


def load(data_dir=None):
    """Small gray images around a mean for each class."""
    rng = np.random.default_rng(0)
    means = rng.uniform(40, 215, (CLASSES, 3, 3, 1))

    def split(count):
        labels = np.arange(count) % CLASSES
        images = means[labels] + rng.normal(0, 30, (count, 3, 3, 1))
        return Split(np.clip(images, 0, 255).astype(np.uint8), labels.astype(np.int32), CLASSES, "tiny")

    return Splits(split(48), split(24))


class Net(Network):
    width: int = 6

    @nn.compact
    def __call__(self, x, train=False, mask=None):
        x = x.reshape(x.shape[0], -1)
        return self.logits(self.record(nn.relu(self.linear(x, self.width, "linear1")), "linear1"), "linear2")


NETWORK = Entry(Net, LAYERS)
CONFIG = RunConfig(
    dataset=f"{__name__}:load", model=f"{__name__}:NETWORK", width=6, epochs=3, batch_size=16, learning_rate=1e-1
)
PRESET = Preset(
    "",
    CONFIG,
    {
        "geometry": {
            "geometry_epochs": "0,final",
            "examples_per_class": 4,
            "num_draws": 6,
            "joint_draws": 0,
            "num_center_components": 0,
        },
        "capacity_check": {"capacity_epochs": "0,final", "capacity_dichotomies": 4},
        "decoding": {"decoding_epochs": "0,final", "decoding_dynamics": 3, "probe_examples": 30},
        "umap": {"umap_examples": 4},
        "gradients": {"gradient_epochs": "0,final"},
        "few_shot": {"few_shot_epochs": "0,final", "few_shot_shots": "1,2", "few_shot_draws": 3},
        "similarity": {"similarity_epochs": "0,final"},
    },
)


def trained(workdir, config=CONFIG):
    train_run(workdir, config, plan=PRESET.plan())
    return workdir


def untrained(workdir, config):
    """A run that notes all that a trained one does, with invented metrics and without networks."""
    folder, splits = RunFolder(workdir), data.load(config.dataset)
    noted = begin(folder, config, splits, PRESET.plan())
    true = splits.train.labels
    permuted = data.permute_labels(
        true, config.permuted_fraction, key=jax.random.key(0), num_classes=int(true.max()) + 1
    )
    write_labels(folder, permuted, config, noted.identity)
    write_metrics(
        folder.workdir, [dict.fromkeys(METRICS, 0.5) | {"epoch": epoch} for epoch in range(3)], noted.identity
    )
    return workdir
