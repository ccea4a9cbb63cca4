"""Norms and cosines of the parts of the gradient, as linear forms in the base vectors of the ledger."""

from collections.abc import Sequence

import numpy as np

from memorize_jax.analysis.gradients import GROUPS, Ledger
from memorize_jax.models import Layer

WEIGHTINGS = ("subset", "share")
CENTERINGS = ("dataset", "subset")
PARTS = ("full", "dep", "ind")


def parts(
    counts: np.ndarray, *, weighting: str = "subset", centering: str = "dataset"
) -> dict[tuple[str, str], np.ndarray]:
    """The coefficients of every part on every group in the base vectors.

        full_g = M_g - A_g,   dep_g = gbar - A_g,   ind_g = M_g - gbar          (paper eq. 15)

    with gbar the mean gradient of equation 13, and "all" the sum of the groups weighted by their shares. A part is
    zero on all examples when its distribution is uniform.

    Args:
      counts: [2], unpermuted and permuted examples.
      weighting: "subset": a group's part is the mean over its examples, as in figure 5; "share": that times its share
        of all examples, so that the groups add up to all (eq. 22).
      centering: of a group: gbar over the whole "dataset", as equation 13 has it, or over the "subset" itself.

    Returns:
      (group, part) -> [6]; groups all, unpermuted, permuted, without those that are empty.

    Raises:
      ValueError: unknown weighting or centering.
    """
    if weighting not in WEIGHTINGS:
        raise ValueError(f"expected weighting to be one of {', '.join(WEIGHTINGS)}, got {weighting!r}")
    if centering not in CENTERINGS:
        raise ValueError(f"expected centering to be one of {', '.join(CENTERINGS)}, got {centering!r}")
    share = np.asarray(counts) / np.sum(counts)
    # [2, 6] each: what picks A, M and U of a group.
    label, model, uniform = np.moveaxis(np.eye(6).reshape(2, 3, 6), 1, 0)
    mean = share @ uniform
    found = {}
    for part in PARTS:
        own_mean = mean if centering == "dataset" else uniform
        plus = own_mean if part == "dep" else model
        minus = own_mean if part == "ind" else label
        total = (mean if part == "dep" else share @ model) - (mean if part == "ind" else share @ label)
        found["all", part] = total
        for index, group in enumerate(GROUPS):
            if counts[index]:
                weight = share[index] if weighting == "share" else 1.0
                found[group, part] = weight * np.broadcast_to(plus - minus, (2, 6))[index]
    return found


def gradient_rows(
    ledger: Ledger, layers: Sequence[Layer], common: dict, *, weighting: str = "subset", centering: str = "dataset"
) -> list[dict]:
    """Turns a ledger into rows of results/gradients.csv.

    Args:
      ledger: of one network.
      layers: of the network, in order.
      common: columns that are the same in every row: seed, epoch, bn.
      weighting: see `parts`.
      centering: see `parts`.

    Returns:
      list of dicts, one per layer, group and part; the last layer has further ones of form "eq16" for dep and ind.
    """
    forms = parts(ledger.counts, weighting=weighting, centering=centering)
    counts = dict(zip(GROUPS, map(int, ledger.counts), strict=True)) | {"all": int(np.sum(ledger.counts))}
    grams = [(layer, ledger.grams[layer.name], "eq15") for layer in layers] + [(layers[-1], ledger.last_layer, "eq16")]
    rows = []
    for layer, gram, form in grams:
        for (group, part), coefficients in forms.items():
            if form == "eq16" and part == "full":
                continue
            rows.append(
                {
                    **common,
                    "layer": layer.name,
                    "layer_number": layer.number,
                    "group": group,
                    "part": part,
                    "squared_norm": max(float(coefficients @ gram @ coefficients), 0.0),
                    "cosine_with_ind": cosine(gram, coefficients, forms[group, "ind"]),
                    "cosine_with_permuted": cosine(gram, coefficients, forms.get(("permuted", part))),
                    "num_examples": counts[group],
                    "form": form,
                    "weighting": weighting,
                    "centering": centering,
                }
            )
    return rows


def cosine(gram: np.ndarray, first: np.ndarray, second: np.ndarray | None) -> float:
    """Cosine of the angle between two linear forms.

    Args:
      gram: [6, 6] of the base vectors.
      first: [6] coefficients.
      second: [6], or None for a vector that does not exist.

    Returns:
      In [-1, 1]; NaN where a vector is zero or does not exist.
    """
    if second is None:
        return float("nan")
    norms = (first @ gram @ first) * (second @ gram @ second)
    return float(np.clip(first @ gram @ second / np.sqrt(norms), -1, 1)) if norms > 0 else float("nan")
