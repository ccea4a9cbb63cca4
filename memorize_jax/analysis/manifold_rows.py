"""Rows of the tables of manifold geometry, and what is to be said of their numbers."""

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import numpy as np
from jaxtyping import Int

from memorize_jax.analysis.manifolds import NetworkGeometry
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.geometry import JointGeometry, LayerParticipation, ManifoldGeometry
from memorize_jax.geometry.status import CHECKPOINT_DAMAGED, INVALID
from memorize_jax.progress import warn
from memorize_jax.storage.tables import ADDED, AROUND_K, GEOMETRY

# Of which a table keeps how far they move with the choice of examples.
SPREAD = ("capacity", "radius", "dimension", "joint_capacity")


def geometry_rows(
    geometry: ManifoldGeometry,
    layers: tuple[str, ...],
    common: Mapping,
    *,
    joint: JointGeometry | None = None,
    participation: LayerParticipation | None = None,
    numbers: tuple[int, ...] | None = None,
) -> list[dict]:
    """Turns the result for one group into table rows, one a layer; a class without numbers makes the summary NaN.

    Args:
      geometry: with a leading layer axis.
      layers: names of those wanted; each is looked up in the result.
      common: columns that are the same in every row.
      joint: of the same layers; None where it was not measured.
      participation: of these layers, in their order; None where it was not measured.
      numbers: of these layers in the paper's table; None for their positions.
    """
    host, joint, participation = jax.tree.map(np.asarray, (geometry, joint, participation))
    rows = []
    for place, (name, number) in enumerate(zip(layers, numbers or range(len(layers)), strict=True)):
        own = host[name]
        rows.append(
            {
                **dict.fromkeys(ADDED & set(GEOMETRY), float("nan")),
                **common,
                "layer": name,
                "layer_number": number,
                **{column: float(value) for column, value in own.summary().items()},
                "num_center_components": int(own.num_center_components),
                "residual_correlation": float(own.residual_correlation),
                **{column: float(getattr(own, column)) for column in AROUND_K},
                "least_retained_center_norm": float(np.min(own.retained_center_norm)),
                "largest_kkt_residual": float(np.max(own.kkt_residual)),
                "num_classes": len(own.capacity),
                "num_valid_classes": int(np.sum(np.isfinite(own.capacity))),
                "examples_per_class": int(own.num_examples.min()),
                "num_draws": int(own.num_draws),
                "status": int(np.bitwise_or.reduce(own.status)),
                **({} if joint is None else _joint_columns(joint[name])),
                **({} if participation is None else _participation_columns(participation, place)),
                "example_repeats": 1,
            }
        )
    return rows


def _joint_columns(own):
    columns = {f"joint_{name}": float(value) for name, value in own.summary().items()}
    columns |= {f"joint_{name}": float(getattr(own, name)) for name in ("active_fraction", "kkt_residual")}
    return columns | {"joint_classes": int(own.classes_per_draw), "joint_status": int(own.status)}


def _participation_columns(participation, place):
    """Of one layer; a class without a number makes the mean over classes NaN."""
    together, by_class = (jax.tree.map(lambda leaf: leaf[place], part) for part in participation)
    return {
        "participation_ratio": float(together.plain),
        "participation_ratio_corrected": float(together.corrected),
        "class_participation_ratio": float(by_class.plain.mean()),
        "class_participation_ratio_corrected": float(by_class.corrected.mean()),
        "participation_status": int(together.status | np.bitwise_or.reduce(by_class.status)),
    }


def with_example_spread(repeats: Sequence[list[dict]]) -> list[dict]:
    """Adds to the rows of the first choice of examples how far others move their numbers.

    Of `geometry_rows` of the same layers for every choice the first are returned, with standard deviations over all
    choices, NaN where there is but one or any is NaN.
    """
    rows = [{**row, "example_repeats": len(repeats)} for row in repeats[0]]
    if len(repeats) > 1:
        for row, *others in zip(rows, *repeats[1:], strict=True):
            for column in SPREAD:
                values = [own[column] for own in (row, *others)]
                row[f"{column}_example_sd"] = float(np.std(values, ddof=1))
    return rows


def missing_rows(
    layers: tuple[str, ...], common: Mapping, *, shape: tuple[int, int], num_draws: int, numbers: tuple[int, ...]
) -> list[dict]:
    """The `geometry_rows` of a group at an epoch whose checkpoint is damaged: NaN, and a status that says why.

    Args:
      layers: names.
      common: columns that are the same in every row.
      shape: (P, M), classes and examples of each.
      num_draws: that would have been made.
      numbers: of the layers in the paper's table.
    """
    known = {"num_classes": shape[0], "num_valid_classes": 0, "examples_per_class": shape[1], "num_draws": num_draws}
    known |= {"num_center_components": 0, "status": CHECKPOINT_DAMAGED, **common}
    known |= {"joint_status": CHECKPOINT_DAMAGED, "participation_status": CHECKPOINT_DAMAGED}
    return [
        {**dict.fromkeys(GEOMETRY, float("nan")), **known, "layer": name, "layer_number": number}
        for name, number in zip(layers, numbers, strict=True)
    ]


def warn_of(
    splits: Splits,
    labels: PermutedLabels,
    found: NetworkGeometry,
    epoch: int,
    group: str,
    examples: Int[np.ndarray, "P M"],
) -> None:
    """Warns of the classes of a group of examples, and of layers, whose numbers are missing or doubtful.

    A joint capacity that is only a bound is not warned of: it is so in every narrow layer, and its row says so.
    """
    given = {"test": splits.test.labels, "permuted": labels.assigned}.get(group, labels.true)
    classes = tuple(given[examples[:, 0]].tolist())
    problems = dataclasses.replace(found.mean_field, classes=classes).problems()
    if found.joint is not None:
        invalid = np.asarray(found.joint.status) & INVALID
        problems += dataclasses.replace(found.joint, status=invalid).problems()
    for problem in dict.fromkeys(problems):
        warn(f"epoch {epoch}, {group}: {problem}")
