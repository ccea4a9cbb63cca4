"""The training examples of two classes of spheres, on the first axes."""

from memorize_jax.measurements.measurement import Work
from memorize_jax.runs.run import Run
from memorize_jax.storage.tables import SPHERES

AXES = tuple(column for column in SPHERES if column.startswith("axis_"))
# The centers of classes 0 and 1 are opposite each other on axis 0.
PAIR = (0, 1)


def plan(run: Run) -> Work:
    """Lists the training examples of classes 0 and 1."""
    train = run.splits.train

    def rows(unit):
        return [
            {
                "seed": run.config.seed,
                "example": int(example),
                "label": int(train.labels[example]),
                **{axis: float(train.images[example, number]) for number, axis in enumerate(AXES)},
            }
            for example in range(len(train.labels))
            if train.labels[example] in PAIR
        ]

    return Work(["examples"], rows, reads=lambda unit: ())
