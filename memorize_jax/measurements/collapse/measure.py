"""How drift and collapse of a run are measured: a unit of work for every epoch."""

from memorize_jax.activations import head_reader
from memorize_jax.measurements.collapse import CollapseSettings
from memorize_jax.measurements.collapse.labelings import label_groups
from memorize_jax.measurements.collapse.layers import layer_rows
from memorize_jax.measurements.measurement import Work
from memorize_jax.runs.run import Run


def plan(run: Run, settings: CollapseSettings) -> Work:
    """Measures all groups at every layer of an epoch's network together, on all examples."""
    splits, layers = run.splits, run.layers
    labelings = label_groups(run.labels, splits.test.labels)
    *_, head = layers
    read = head_reader(run.model(), run.statistics, tuple(layers)[1:], head)
    images = [splits.train.images, splits.test.images]

    def rows(epoch):
        about = {"seed": run.config.seed, "epoch": epoch}
        network, num_classes = run.network(epoch), splits.train.num_classes
        found = layer_rows(read, network, images, labelings, tuple(layers), num_classes)
        return [{**about, "layer_number": layers[row["layer"]], **row} for row in found]

    return Work(run.select_epochs(settings.collapse_epochs), rows, lambda epoch: [epoch], counted="epoch")
