"""Norms and cosines of the parts of the gradient, as linear forms in the base vectors."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from memorize_jax.measurements.gradients.base_vectors import GROUPS, NUM_VECTORS, TERMS, GradientDecomposition
from memorize_jax.models import Layer

WEIGHTINGS = ("subset", "share")
CENTERINGS = ("dataset", "subset")
PARTS = ("full", "dep", "ind")
# The mean gradient taken off both parts: that of equation 15 over classes as well, that of equation 16 class by class.
FORMS = ("eq15", "eq16")


def parts(
    counts: Int[np.ndarray, "2"], *, weighting: str = "subset", centering: str = "dataset", form: str = "eq15"
) -> dict[tuple[str, str], Float[np.ndarray, "10"]]:
    """The coefficients in the base vectors by (group, part); groups all, unpermuted, permuted, none that is empty.

        full_g = M_g - A_g,   dep_g = gbar - A_g,   ind_g = M_g - gbar          (paper eq. 15)

    with gbar the mean gradient of equation 13, and "all" the sum of the groups weighted by their shares. A part is
    zero on all examples when its distribution is uniform. Equation 16 takes the mean gradient of every class off
    instead, gbar_c: dep_g = -<P_L(c|x) (g_c - gbar_c)>, ind_g = <P_M(c|x) (g_c - gbar_c)>. Both parts are zero on all
    examples when their distribution is the same for every example; they add up to the full gradient only if classes
    are assigned and predicted equally often.

    Args:
      counts: of unpermuted and of permuted examples.
      weighting: "subset": a group's part is the mean over its examples, as in figure 5; "share": that times its share
        of all examples, so that the groups add up to all (eq. 22).
      centering: of a group: gbar over the whole "dataset", as equation 13 has it, or over the "subset" itself; the
        gbar_c of equation 16 are means over the whole data set in any case.
      form: one of `FORMS`.

    Raises:
      ValueError: unknown weighting, centering or form.
    """
    known = {"weighting": (weighting, WEIGHTINGS), "centering": (centering, CENTERINGS), "form": (form, FORMS)}
    for name, (value, choices) in known.items():
        if value not in choices:
            raise ValueError(f"expected {name} to be one of {', '.join(choices)}, got {value!r}")
    share = np.asarray(counts) / np.sum(counts)
    # [2, 10] each: what picks a base vector of a group.
    label, model, uniform, centered_label, centered_model = np.moveaxis(
        np.eye(NUM_VECTORS).reshape(2, len(TERMS), NUM_VECTORS), 1, 0
    )
    mean = uniform if centering == "subset" else np.broadcast_to(share @ uniform, uniform.shape)
    by_part = {
        "eq15": {"full": model - label, "dep": mean - label, "ind": model - mean},
        "eq16": {"full": model - label, "dep": -centered_label, "ind": centered_model},
    }[form]
    found = {("all", part): share @ vectors for part, vectors in by_part.items()}
    for index, group in enumerate(GROUPS):
        if counts[index]:
            weight = share[index] if weighting == "share" else 1.0
            found |= {(group, part): weight * vectors[index] for part, vectors in by_part.items()}
    return found


def gradient_rows(
    found: GradientDecomposition,
    layers: Sequence[Layer],
    common: dict,
    *,
    weighting: str = "subset",
    centering: str = "dataset",
) -> list[dict]:
    """The rows of results/gradients.csv: one per layer, group and part, and another of equation 16 for dep and ind.

    Args:
      found: of one network.
      layers: of the network, in order.
      common: columns that are the same in every row: seed, epoch, bn.
      weighting: see `parts`.
      centering: see `parts`.
    """
    counts = dict(zip(GROUPS, map(int, found.counts), strict=True)) | {"all": int(np.sum(found.counts))}
    rows = []
    for form in FORMS:
        vectors = parts(found.counts, weighting=weighting, centering=centering, form=form)
        for layer in layers:
            gram = found.grams[layer.name]
            for (group, part), coefficients in vectors.items():
                if (form, part) == ("eq16", "full"):
                    continue
                rows.append(
                    {
                        **common,
                        "layer": layer.name,
                        "layer_number": layer.number,
                        "group": group,
                        "part": part,
                        "squared_norm": max(float(coefficients @ gram @ coefficients), 0.0),
                        "cosine_with_ind": cosine(gram, coefficients, vectors[group, "ind"]),
                        "cosine_with_permuted": cosine(gram, coefficients, vectors.get(("permuted", part))),
                        "num_examples": counts[group],
                        "data_classes": found.num_classes,
                        "form": form,
                        "weighting": weighting,
                        "centering": centering if form == "eq15" else "dataset",
                    }
                )
    return rows


def cosine(
    gram: Float[np.ndarray, "k k"], first: Float[np.ndarray, " k"], second: Float[np.ndarray, " k"] | None
) -> float:
    """Cosine of the angle between two linear forms; NaN where one is zero or does not exist."""
    if second is None:
        return float("nan")
    norms = (first @ gram @ first) * (second @ gram @ second)
    return float(np.clip(first @ gram @ second / np.sqrt(norms), -1, 1)) if norms > 0 else float("nan")
