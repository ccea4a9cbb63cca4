"""The search for shared directions of centers on the host: in float64, the chains of all layers on all cores."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from memorize_jax.geometry.center_candidates import (
    Centers,
    Found,
    choose,
    judged,
    lowest_of_shares,
    next_direction,
    random_starts,
    share_of,
)
from memorize_jax.geometry.center_search import FEW, LEAST_RETAINED, PATIENCE, neighbor_distance
from memorize_jax.threads import on_threads

# Evaluations on the way from K - 1 to K: at least so many, of fewer centers this divided by their number; of the starts
# for a given K, for the one that is chosen, and of what comes out of these.
LEAST_CONTINUED, CONTINUED, ANEW, RESTARTED, POLISHED = 15, 1500, 150, 60, 300
# Share of the value that counts as a gain, on the way and at the end.
TOLERANCE, LAST_TOLERANCE = 1e-5, 1e-7


class Start(NamedTuple):
    """Where a minimization begins, and how far it goes."""

    centers: Centers
    rows: Float[np.ndarray, "K P"]  # any rows of the span
    share: float  # of `LEAST_RETAINED`
    evaluations: int
    tol: float


class Walk(NamedTuple):
    """The search of one layer, at one K."""

    chains: tuple[Float[np.ndarray, "K P"], ...]  # the directions for this K, one for each share
    number: int  # the best K so far
    best: Found
    best_chains: tuple[Float[np.ndarray, "K P"], ...]
    passed: tuple[Float[np.ndarray, "_ P"], ...]  # the directions that were chosen for each K


def minimized(starts: Sequence[Start]) -> list[Found]:
    """Brings every start to its end; each is computed by itself, so that threads change no bit."""
    from memorize_jax.geometry.center_kernels import minimize

    found: list = [None] * len(starts)

    def piece(first, last):
        for place in range(first, last):
            centers, rows, share, evaluations, tol = starts[place]
            rows, directions = np.array(rows, np.float64, order="C"), np.empty(rows.shape)
            about = (centers.root, centers.gram, centers.given)
            value = minimize(rows, *about, share, evaluations, tol, directions)
            found[place] = judged(centers, directions, value)

    on_threads(piece, len(starts))
    return found


def search(layers: Sequence[Centers], draws: Float[np.ndarray, "R P _"], *, min_components: int) -> list[Walk]:
    """Raises K while the residual correlation falls, for all layers at once; see `center_search.search`.

    Every K begins with the directions for K - 1 and the one in which the rest varies most, in a chain for each share of
    `LEAST_RETAINED`. Few centers also start anew for each K. More are brought to their end only at the K that is
    chosen, each share from the best of its chain and of its random starts.
    """
    num = len(layers[0].gram)
    few, distance = num - 2 <= FEW, neighbor_distance(num)
    evaluations, tol = (POLISHED, LAST_TOLERANCE) if few else (max(LEAST_CONTINUED, CONTINUED // num), TOLERANCE)
    nothing = [judged(centers, np.zeros((0, num))) for centers in layers]
    empty = tuple(np.zeros((0, num)) for _ in LEAST_RETAINED)
    walks = [Walk(empty, 0, none, empty, (none.directions,)) for none in nothing]

    def to_beat(place, first):
        threshold = nothing[place].correlation if min_components == 0 else np.inf
        return threshold if first else walks[place].best.correlation

    def goes_on(place):
        walk = walks[place]
        patience = max(PATIENCE, distance, walk.number // 4)
        return len(walk.passed) - 1 < min(layers[place].bound, walk.number + patience)

    while going := [place for place in range(len(layers)) if goes_on(place)]:
        starts, tried = [], len(walks[going[0]].passed)
        for place in going:
            centers = layers[place]
            rows = [np.concatenate([chain, next_direction(centers, chain)]) for chain in walks[place].chains]
            rows += random_starts(centers, draws, tried) if few else []
            starts.append([Start(centers, own, share_of(i), evaluations, tol) for i, own in enumerate(rows)])
        for place, found in zip(going, _in_turn(minimized, starts), strict=True):
            walk, (candidate, usable) = walks[place], choose(found)
            chains = tuple(each.directions for each in lowest_of_shares(found))
            walk = walk._replace(chains=chains, passed=(*walk.passed, candidate.directions))
            better = usable and candidate.correlation < to_beat(place, walk.number == 0) and tried >= min_components
            if better:
                walk = walk._replace(number=tried, best=candidate, best_chains=chains)
            walks[place] = walk
    ending = [] if few else [place for place in range(len(layers)) if walks[place].number > 0]
    starts = []
    for place in ending:
        own = [*walks[place].best_chains, *random_starts(layers[place], draws, walks[place].number)]
        starts.append([Start(layers[place], rows, share_of(i), RESTARTED, TOLERANCE) for i, rows in enumerate(own)])
    found = _in_turn(minimized, starts)
    ends = [polished(layers[place], lowest_of_shares(own)) for place, own in zip(ending, found, strict=True)]
    for place, found in zip(ending, _in_turn(minimized, ends), strict=True):
        candidate, usable = choose(found)
        if usable and candidate.correlation < to_beat(place, True):
            walks[place] = walks[place]._replace(best=candidate)
    return walks


def polished(centers: Centers, found: Sequence[Found]) -> list[Start]:
    """Starts that bring candidates, whose shares take turns, to their ends."""
    return [
        Start(centers, each.directions, share_of(place), POLISHED, LAST_TOLERANCE) for place, each in enumerate(found)
    ]


def forced(layers: Sequence[Centers], draws: Float[np.ndarray, "R P K"]) -> list[Found]:
    """Minimizes the cost for one K, from many starts, and keeps the most stable of the good ones; of each layer."""
    starts = []
    for centers in layers:
        rows = random_starts(centers, draws, draws.shape[2])
        starts.append([Start(centers, own, share_of(i), ANEW, TOLERANCE) for i, own in enumerate(rows)])
    found = _in_turn(minimized, starts)
    ends = [polished(centers, own) for centers, own in zip(layers, found, strict=True)]
    return [choose(own)[0] for own in _in_turn(minimized, ends)]


def _in_turn(function: Callable, lists: Sequence[Sequence]) -> list[list]:
    """What a function of one list gives for all of them together, taken apart again."""
    together = iter(function([each for own in lists for each in own]))
    return [[next(together) for _ in own] for own in lists]
