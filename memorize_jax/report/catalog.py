"""The catalog of figures: which there are, by the paper's names, and what is said of them."""

import pathlib
import re
from collections.abc import Iterable

from memorize_jax.figures.figure import Figure, missing, sentences
from memorize_jax.measurements.registry import figures
from memorize_jax.studies.study import Study


def aliases() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name of a figure of the paper that is another one for another network -> (network, names of that one)."""
    found = {}
    for figure in figures().values():
        for alias, model in figure.aliases.items():
            found[alias] = (model, (*found.get(alias, (model, ()))[1], figure.name))
    return dict(sorted(found.items(), key=lambda item: int(item[0][4:])))


def draw(study: Study, names: Iterable[str]) -> list[pathlib.Path]:
    """Draws those of the figures of these names that miss nothing, into figures/ of a study's folder."""
    possible = [figure for name in names if not missing(figure := figures()[name], study)]
    return [figure.draw(study, path_of(figure, study)) for figure in possible]


def path_of(figure: Figure, study: Study) -> pathlib.Path:
    """Where the figure of a study is drawn."""
    return study.workdir / "figures" / f"{figure.name}.svg"


def caption(figure: Figure, study: Study) -> str:
    """What to look for in a figure, and which figure of the paper shows it for the network of a study."""
    papers = [name.removeprefix("figa") for name, model in figure.aliases.items() if model == study.model]
    of_network = (f"The paper's figure for this network is A.{number}." for number in papers)
    return sentences(figure.look_for, figure.remark(study), *of_network)


def select(text: str, model: str | None = None) -> list[Figure]:
    """Finds figures by name; gives each once, in the order of the registry.

    Args:
      text: "all", or with commas between them names of figures ("fig3a"), of `aliases` ("figa5"), or what names begin
        with before the letters of their parts ("fig3", "fig5").
      model: name of the study's network, which the aliases then must be of; None if that does not matter.

    Raises:
      ValueError: a name that there is not, or the paper's figure of another network.
    """
    known, others = figures(), aliases()
    if text.strip() == "all":
        return list(known.values())
    found = set()
    for name in (part.strip() for part in text.split(",")):
        parts = [figure for figure in known if re.fullmatch(re.escape(name) + "[a-z]", figure)]
        if name in others:
            network, names = others[name]
            if model not in (None, network):
                raise ValueError(
                    f"{name} is the paper's {' and '.join(_ends(names))} for {network}, and this is {model}: ask for "
                    f"{','.join(names)} or give the folder of a run of {network}"
                )
            found.update(names)
        elif name in known:
            found.add(name)
        elif name and parts:
            found.update(parts)
        else:
            raise ValueError(f"expected figures among all, {', '.join((*known, *others))}, got {name!r}")
    return [figure for figure in known.values() if figure.name in found]


def _ends(names):
    return names if len(names) < 3 else (f"{names[0]} to {names[-1]}",)
