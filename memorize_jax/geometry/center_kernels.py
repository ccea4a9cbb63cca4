"""What the search for shared directions of centers minimizes, and how, in float64 and machine code of the processor.

Directions are rows here, in the axes of the principal components of the centers. Import it where it is used: numba
takes half a second.
"""

import numpy as np

from memorize_jax.geometry.center_search import LEAST_SQUARE
from memorize_jax.geometry.machine_code import compiled

# Pairs of steps and changes of the gradient that are remembered; there is a place more, for one that may say nothing.
MEMORY = 8
PLACES = MEMORY + 1
# A step must gain this share of what the slope promises, but for the rounding of the value itself.
SUFFICIENT, ROUNDING = 1e-4, 2 * 2.2e-16
# A search is done when so many steps in a row gained less than the tolerance.
SMALL_GAINS = 3


@compiled
def product(left, right, into):
    """Writes the product of two matrices; in one place, as every place is compiled."""
    np.dot(left, right, into)


@compiled
def inverse_factor(gram, inverse):
    """Writes the inverse of the lower Cholesky factor of a matrix, which becomes the factor."""
    size = len(gram)
    for j in range(size):
        for k in range(j):
            value = gram[j, k]
            for i in range(j, size):
                gram[i, j] -= gram[i, k] * value
        root = np.sqrt(gram[j, j])
        for i in range(j, size):
            gram[i, j] /= root
    for i in range(size):
        inverse[i] = 0
        inverse[i, i] = 1
        for k in range(i):
            value = gram[i, k]
            for j in range(k + 1):
                inverse[i, j] -= value * inverse[k, j]
        value = gram[i, i]
        for j in range(i + 1):
            inverse[i, j] /= value


@compiled
def value_and_gradient(free, root, gram, given, share, directions, gradient):
    """The cost of removing the span V of K rows, with a penalty on what takes a center away; and its gradient.

        f = 1/2 sum_mn C_mn^2 + P sum_m [1 - a_m / (share^2 G_mm)]_+^2
        C_mn = A_mn / sqrt(a_m a_n),  A = G - O'O,  O = V X',  a = diag A
        df/dO = 2 O diag(c / a + 2 P [..]_m / (share^2 G_mm)) - 2 (O s) C s,   s = a^-1/2,  c_m = sum_n C_mn^2

    Args:
      free: [K, P], any rows; only their span counts.
      root: [P, P], X, the centers.
      gram: [P, P], G = X X'.
      given: [P], the diagonal of G; 0 for a center that is not there to be lost.
      share: of its length that a center keeps before the penalty sets in.
      directions: [K, P], where orthonormal rows of the same span are written.
      gradient: [K, P], where the gradient with respect to `free` is written.
    """
    size, num = free.shape
    products, inverse = np.empty((size, size)), np.empty((size, size))
    product(free, free.T, products)
    inverse_factor(products, inverse)
    product(inverse, free, directions)
    overlap, removed = np.empty((size, num)), np.empty((num, num))
    product(directions, root.T, overlap)
    product(overlap.T, overlap, removed)
    scale, by_square, value = np.empty(num), np.empty(num), 0.0
    for m in range(num):
        left = gram[m, m] - removed[m, m]
        scale[m] = 1 / np.sqrt(max(left, LEAST_SQUARE))
        by_square[m] = 0
        if given[m] > 0:
            shortage = max(1 - left / (given[m] * share**2), 0.0)
            value += num * shortage**2
            by_square[m] = -2 * num * shortage / (given[m] * share**2)
    for m in range(num):
        total = 0.0
        for n in range(num):
            cosine = (gram[m, n] - removed[m, n]) * scale[m] * scale[n]
            total += cosine**2
            removed[m, n] = cosine * scale[m] * scale[n]
        value += 0.5 * total
        if scale[m] ** 2 * LEAST_SQUARE < 1:
            by_square[m] -= total * scale[m] ** 2
    by_overlap, by_direction = np.empty((size, num)), np.empty((size, num))
    product(overlap, removed, by_overlap)
    for k in range(size):
        for m in range(num):
            by_overlap[k, m] = -2 * by_square[m] * overlap[k, m] - 2 * by_overlap[k, m]
    product(by_overlap, root, by_direction)
    # What turns the rows among themselves changes nothing.
    product(by_direction, directions.T, products)
    product(products, directions, overlap)
    by_direction -= overlap
    product(inverse.T, by_direction, gradient)
    return value


@compiled
def inner(one, other):
    """The sum of the products of two vectors."""
    total = 0.0
    for i in range(len(one)):
        total += one[i] * other[i]
    return total


@compiled
def step_of(gradient, count, moves, changes, curvature, shares, step):
    """Writes minus the product of the inverse Hessian and the gradient: the two loops of Nocedal [1980]."""
    for i in range(len(step)):
        step[i] = -gradient[i]
    kept = min(count, MEMORY)
    for pair in range(count - 1, count - 1 - kept, -1):
        place = pair % PLACES
        move, change = moves[place], changes[place]
        shares[place] = curvature[place] * inner(move, step)
        for i in range(len(step)):
            step[i] -= shares[place] * change[i]
    if kept:
        newest = (count - 1) % PLACES
        scale = 1 / (curvature[newest] * inner(changes[newest], changes[newest]))
        for i in range(len(step)):
            step[i] *= scale
    for pair in range(count - kept, count):
        place = pair % PLACES
        move, change = moves[place], changes[place]
        rest = shares[place] - curvature[place] * inner(change, step)
        for i in range(len(step)):
            step[i] += rest * move[i]


@compiled
def minimize(free, root, gram, given, share, evaluations, tol, directions):
    """Minimizes `value_and_gradient` by L-BFGS with one evaluation a step; returns the value.

    Arguments are those of `value_and_gradient`; `free` is changed. At most so many evaluations after the first; done
    when the value falls by less than the share `tol` of itself, three times in a row. A step that does not gain enough
    is shortened by the minimum of the parabola through what is known.
    """
    gradient, new_gradient, tried = np.empty_like(free), np.empty_like(free), np.empty_like(free)
    here, there = free.reshape(-1), tried.reshape(-1)
    slope_here, slope_there = gradient.reshape(-1), new_gradient.reshape(-1)
    step, shares, curvature = np.empty(len(here)), np.empty(PLACES), np.empty(PLACES)
    moves, changes = np.empty((PLACES, len(here))), np.empty((PLACES, len(here)))
    value = value_and_gradient(free, root, gram, given, share, directions, gradient)
    count, small = 0, 0
    step_of(slope_here, count, moves, changes, curvature, shares, step)
    steepness = np.sqrt(inner(slope_here, slope_here))
    if not steepness > 0:
        return value
    length = min(1.0, 0.3 * np.sqrt(inner(here, here)) / steepness)
    for _ in range(evaluations):
        for i in range(len(here)):
            there[i] = here[i] + length * step[i]
        new_value = value_and_gradient(tried, root, gram, given, share, directions, new_gradient)
        slope = length * inner(slope_here, step)
        if new_value - value <= SUFFICIENT * slope + ROUNDING * abs(value):
            move, change = moves[count % PLACES], changes[count % PLACES]
            for i in range(len(here)):
                move[i] = length * step[i]
                change[i] = slope_there[i] - slope_here[i]
                here[i] = there[i]
                slope_here[i] = slope_there[i]
            along, size = inner(move, change), inner(change, change) * inner(move, move)
            if along > 1e-8 * np.sqrt(size):
                curvature[count % PLACES] = 1 / along
                count += 1
            small = small + 1 if value - new_value < tol * abs(new_value) else 0
            value = new_value
            if small >= SMALL_GAINS:
                break
            step_of(slope_here, count, moves, changes, curvature, shares, step)
            if not inner(step, slope_here) < 0:
                for i in range(len(here)):
                    step[i] = -slope_here[i]
            length = 1.0
        else:
            bend = new_value - value - slope
            shorter = -slope / (2 * bend) if bend > 0 else 0.0
            length *= min(max(shorter, 0.1), 0.5)
            if not length > 1e-12:
                break
    return value_and_gradient(free, root, gram, given, share, directions, gradient)
