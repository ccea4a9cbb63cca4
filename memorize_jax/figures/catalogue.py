"""All figures of the paper: what each needs, what to look for in it, and how it is drawn."""

import pathlib
import re
from collections.abc import Iterable
from typing import NamedTuple

from memorize_jax.figures.capacity_check import FIGURES_OF_CAPACITY_CHECK
from memorize_jax.figures.capacity_map import FIGURES_OF_CAPACITY_MAP
from memorize_jax.figures.decoding import FIGURES_OF_DECODING
from memorize_jax.figures.double_descent import FIGURES_OF_DOUBLE_DESCENT
from memorize_jax.figures.examples import FIGURES_OF_EXAMPLES
from memorize_jax.figures.figure import Figure, missing
from memorize_jax.figures.fractions import FIGURES_OF_FRACTIONS
from memorize_jax.figures.geometry import FIGURES_OF_GEOMETRY
from memorize_jax.figures.gradients import FIGURES_OF_GRADIENTS
from memorize_jax.figures.rewinding import FIGURES_OF_REWINDING
from memorize_jax.figures.spheres import FIGURES_OF_SPHERES
from memorize_jax.figures.split import FIGURES_OF_SPLIT
from memorize_jax.figures.training import FIGURES_OF_TRAINING
from memorize_jax.figures.umap import FIGURES_OF_UMAP
from memorize_jax.studies.study import Study

__all__ = ["ALIASES", "FIGURES", "Alias", "Figure", "caption", "draw", "missing", "select"]

# In the order of a report.
FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        *FIGURES_OF_EXAMPLES,
        *FIGURES_OF_CAPACITY_CHECK,
        *FIGURES_OF_TRAINING,
        *FIGURES_OF_UMAP,
        *FIGURES_OF_SPHERES,
        *FIGURES_OF_GEOMETRY,
        *FIGURES_OF_SPLIT,
        *FIGURES_OF_CAPACITY_MAP,
        *FIGURES_OF_FRACTIONS,
        *FIGURES_OF_REWINDING,
        *FIGURES_OF_DOUBLE_DESCENT,
        *FIGURES_OF_GRADIENTS,
        *FIGURES_OF_DECODING,
    )
}


class Alias(NamedTuple):
    """A figure of the paper that is another one for another network.

    Attributes:
      model: name of the network.
      figures: names of the figures that it is.
    """

    model: str
    figures: tuple[str, ...]


_GEOMETRY, _REWINDING = ("fig3a", "fig3b"), ("fig4a", "fig4b")
_GRADIENTS = tuple(f"fig5{letter}" for letter in "abcdefg")
ALIASES = {
    "figa4": Alias("mlp", _GEOMETRY),
    "figa5": Alias("alexnet", _GEOMETRY),
    "figa6": Alias("resnet18", _GEOMETRY),
    "figa7": Alias("resnet18_tiny", _GEOMETRY),
    "figa9": Alias("alexnet", _REWINDING),
    "figa10": Alias("resnet18", _REWINDING),
    "figa11": Alias("vgg16", _REWINDING),
    "figa12": Alias("alexnet", _GRADIENTS),
    "figa13": Alias("resnet18", _GRADIENTS),
    "figa14": Alias("resnet18_tiny", _GRADIENTS),
}


def draw(study: Study, names: Iterable[str]) -> list[pathlib.Path]:
    """Draws those figures that miss nothing into figures/ of a study's folder.

    Args:
      study: the tables.
      names: of `FIGURES`.

    Returns:
      Paths of the figures drawn.
    """
    possible = [FIGURES[name] for name in names if not missing(FIGURES[name], study)]
    return [figure.draw(study, study.workdir / "figures" / f"{figure.name}.svg") for figure in possible]


def caption(figure: Figure, study: Study) -> str:
    """What to look for in a figure, and which figure of the paper shows it for the network of a study.

    Args:
      figure: of `FIGURES`.
      study: that it is drawn from.

    Returns:
      A few sentences.
    """
    names = [name for name, alias in ALIASES.items() if alias.model == study.model and figure.name in alias.figures]
    papers = [f"The paper's figure for this network is A.{name[4:]}." for name in names]
    return " ".join(part for part in (figure.look_for, figure.remark(study), *papers) if part)


def select(text: str, model: str | None = None) -> list[Figure]:
    """Finds figures by name.

    Args:
      text: "all", or with commas between them names of `FIGURES` ("fig3a"), of `ALIASES` ("figa5"), or what names
        begin with before the letters of their parts ("fig3", "fig5").
      model: name of the study's network, which the aliases then must be of; None if that does not matter.

    Returns:
      The figures in the order of `FIGURES`, each once.

    Raises:
      ValueError: a name that there is not, or the paper's figure of another network.
    """
    if text.strip() == "all":
        return list(FIGURES.values())
    found = set()
    for name in (part.strip() for part in text.split(",")):
        parts = [figure for figure in FIGURES if re.fullmatch(re.escape(name) + "[a-z]", figure)]
        if name in ALIASES:
            alias = ALIASES[name]
            if model not in (None, alias.model):
                raise ValueError(
                    f"{name} is the paper's {' and '.join(_ends(alias.figures))} for {alias.model}, and this is "
                    f"{model}: ask for {','.join(alias.figures)} or give the folder of a run of {alias.model}"
                )
            found.update(alias.figures)
        elif name in FIGURES:
            found.add(name)
        elif name and parts:
            found.update(parts)
        else:
            raise ValueError(f"expected figures among all, {', '.join((*FIGURES, *ALIASES))}, got {name!r}")
    return [figure for figure in FIGURES.values() if figure.name in found]


def _ends(names):
    return names if len(names) < 3 else (f"{names[0]} to {names[-1]}",)
