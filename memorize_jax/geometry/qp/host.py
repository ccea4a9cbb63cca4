"""Lawson and Hanson's active-set method in machine code of the processor; one program after the other.

Import it where it is used: numba takes half a second. All functions release the interpreter's lock, so that several
threads can work at once, and compute in float64. They stand in one file, for numba's cache of machine code sees no
change of what a function calls in another.
"""

import numpy as np

from memorize_jax.geometry.machine_code import compiled

# Squared distance of a unit vector from the span of others up to which it counts as dependent on them: what rounding of
# inner products in float64 may leave, and in float32.
LEAST_PIVOT, LEAST_PIVOT_SINGLE = 1e-11, 2e-6
# After a look at all of many points, so many that are violated by this share of the most are looked at alone.
MANY, MOST_NEAR, SHARE = 128, 8, 0.4
# Of points that may be misclassified, so many enter at a time, if they are violated by this share of the most.
MOST_NEW, SHARE_NEW = 8, 0.5
# b' h, at a solution the squared length of the projection, above which constraints contradict one another.
HOPELESS = 1e5


@compiled
def backward(factor, count, right, solution):
    """Solves L' x = right, with the lower triangle L of the first `count` rows."""
    for i in range(count):
        solution[i] = right[i]
    for i in range(count - 1, -1, -1):
        value = solution[i] / factor[i, i]
        solution[i] = value
        for j in range(i):
            solution[j] -= factor[i, j] * value


@compiled
def border(factor, count, products, squared):
    """Writes L^-1 products into row `count`; returns the squared distance of the new point from the active ones."""
    row = factor[count]
    for i in range(count):
        total = products[i]
        for j in range(i):
            total -= factor[i, j] * row[j]
        total /= factor[i, i]
        row[i] = total
        squared -= total * total
    return squared


@compiled
def append(factor, forward, active, count, point, pivot, value):
    """Completes row `count` of L after `border`, and L^-1 h, `forward`."""
    for i in range(count):
        value -= factor[count, i] * forward[i]
    root = np.sqrt(pivot)
    factor[count, count] = root
    forward[count] = value / root
    active[count] = point


@compiled
def remove(factor, forward, active, count, place, cosines, sines):
    """Takes an active point out of L and `forward`; rotations of neighboring columns make it a triangle again."""
    for i in range(place, count - 1):
        active[i] = active[i + 1]
        row, below = factor[i], factor[i + 1]
        for j in range(i + 2):
            row[j] = below[j]
        for j in range(place, i):
            left, right = row[j], row[j + 1]
            row[j] = cosines[j] * left + sines[j] * right
            row[j + 1] = cosines[j] * right - sines[j] * left
        length = np.hypot(row[i], row[i + 1])
        cosines[i], sines[i] = row[i] / length, row[i + 1] / length
        row[i] = length
        left, right = forward[i], forward[i + 1]
        forward[i] = cosines[i] * left + sines[i] * right
        forward[i + 1] = cosines[i] * right - sines[i] * left


@compiled
def settle(factor, forward, active, count, signs, weights, solution, cosines, sines):
    """Moves the weights to the active points' solution, dropping those that would lose their sign on the way.

    Returns how many points are active then.
    """
    while count:
        backward(factor, count, forward, solution)
        reach, blocking = 1.0, -1
        for i in range(count):
            point = active[i]
            if signs[point] * solution[i] <= 0:
                ratio = weights[point] / (weights[point] - solution[i]) if weights[point] != 0 else 0.0
                if blocking < 0 or ratio < reach:
                    reach, blocking = ratio, i
        for i in range(count):
            point = active[i]
            weights[point] = solution[i] if blocking < 0 else weights[point] + reach * (solution[i] - weights[point])
        if blocking < 0:
            break
        weights[active[blocking]] = 0
        remove(factor, forward, active, count, blocking, cosines, sines)
        count -= 1
    return count


@compiled
def exchange(active, count, signs, weights, combination, newcomer, farthest):
    """Moves along the combination of active points that equals the newcomer, until one of them blocks the way.

    Returns the place of the blocking point, -1 if there is none up to `farthest`.
    """
    reach, blocking = farthest, -1
    for i in range(count):
        point = active[i]
        toward = -signs[newcomer] * combination[i]
        if signs[point] * toward < 0 and -weights[point] / toward < reach:
            reach, blocking = -weights[point] / toward, i
    for i in range(count):
        weights[active[i]] -= reach * signs[newcomer] * combination[i]
    weights[newcomer] = reach * signs[newcomer]
    if blocking >= 0:
        weights[active[blocking]] = 0
    return blocking


@compiled
def look_at_all(gram, linear, weights, active, count, slack):
    """Computes h - K b."""
    for i in range(len(slack)):
        slack[i] = linear[i]
    # Four rows at a time: what is written is read less often.
    for i in range(0, count - 3, 4):
        rows = gram[active[i]], gram[active[i + 1]], gram[active[i + 2]], gram[active[i + 3]]
        own = weights[active[i]], weights[active[i + 1]], weights[active[i + 2]], weights[active[i + 3]]
        for j in range(len(slack)):
            slack[j] -= own[0] * rows[0][j] + own[1] * rows[1][j] + own[2] * rows[2][j] + own[3] * rows[3][j]
    for i in range(count - count % 4, count):
        row, weight = gram[active[i]], weights[active[i]]
        for j in range(len(slack)):
            slack[j] -= weight * row[j]
    for i in range(count):
        # What rounding leaves of an active point's is no reason to add it.
        slack[active[i]] = 0


@compiled
def solve_programs(grams, linears, signs, first, last, tol, least_pivot, max_steps, weights, alike=1):
    """Solves  min 1/2 b' K b - b' h  over all b with the given signs, for the programs from `first` to `last`.

    A program ends when no point is violated by more than `tol` (dependent ones: by what rounding may be), after
    `max_steps` points were added, or where the minimum is minus infinity, b being large then. NaN in h or in what is
    used of K gives NaN.

    Args:
      grams: [k, M, M], K, of unit diagonal; each serves n / k programs that follow one another.
      linears: [n, M], h.
      signs: [n, M], or [1, M] for all; 0 for b_i = 0.
      weights: [n, M], where b is written.
      alike: so many K that follow one another differ little. Programs are counted draw by draw then, for `first` and
        `last` too, and each begins with the points that are active in that of the K before.

    References:
      Lawson & Hanson 1974, Solving least squares problems, chapter 23.
    """
    num_points = linears.shape[1]
    per_gram = linears.shape[0] // grams.shape[0]
    # Memory that is never touched is never given: L costs what the active points take.
    factor = np.empty((num_points + 1, num_points + 1))
    slack, solution, forward = np.empty(num_points), np.empty(num_points), np.empty(num_points)
    products, cosines, sines = np.empty(num_points), np.empty(num_points), np.empty(num_points)
    active, near = np.empty(num_points, np.int64), np.empty(MOST_NEAR, np.int64)
    for turn in range(first, last):
        number = turn // (alike * per_gram) * alike + turn % alike
        program = number * per_gram + turn // alike % per_gram
        gram, linear, own = grams[number], linears[program], weights[program]
        sign = signs[program if signs.shape[0] > 1 else 0]
        count, num_near, threshold, is_known = 0, 0, tol, True
        for i in range(num_points):
            own[i], slack[i] = 0, linear[i]
        if turn % alike:
            before = weights[program - per_gram]
            for point in range(num_points):
                if sign[point] * before[point] > 0:
                    row = gram[point]
                    for i in range(count):
                        products[i] = row[active[i]]
                    pivot = border(factor, count, products, row[point])
                    if pivot > least_pivot:
                        append(factor, forward, active, count, point, pivot, linear[point])
                        own[point] = before[point]
                        count += 1
            count = settle(factor, forward, active, count, sign, own, solution, cosines, sines)
            is_known = False
        for _ in range(max_steps):
            most, newcomer = threshold, -1
            for i in range(num_near):
                if sign[near[i]] * slack[near[i]] > most:
                    most, newcomer = sign[near[i]] * slack[near[i]], near[i]
            if newcomer < 0:
                if not is_known:
                    look_at_all(gram, linear, own, active, count, slack)
                    is_known = True
                most = tol
                for i in range(num_points):
                    if sign[i] * slack[i] > most:
                        most, newcomer = sign[i] * slack[i], i
                if newcomer < 0:
                    break
                num_near, threshold = 0, SHARE * most if SHARE * most > tol else tol
                for i in range(num_points if num_points > MANY else 0):
                    if sign[i] * slack[i] > threshold and num_near < MOST_NEAR:
                        near[num_near] = i
                        num_near += 1
            row, before = gram[newcomer], count
            for i in range(count):
                products[i] = row[active[i]]
            pivot = border(factor, count, products, row[newcomer])
            if pivot <= least_pivot:
                backward(factor, count, factor[count], solution)
                # A combination adds up the rounding of its points.
                if most <= tol * (1 + np.sum(np.abs(solution[:count]))):
                    slack[newcomer] = 0
                    continue
                place = exchange(active, count, sign, own, solution, newcomer, HOPELESS / most)
                if place < 0:
                    break
                remove(factor, forward, active, count, place, cosines, sines)
                count -= 1
                for i in range(count):
                    products[i] = row[active[i]]
                pivot = border(factor, count, products, row[newcomer])
            if pivot <= least_pivot:
                own[newcomer] = 0
            else:
                append(factor, forward, active, count, newcomer, pivot, linear[newcomer])
                count += 1
            count = settle(factor, forward, active, count, sign, own, solution, cosines, sines)
            if own[newcomer] == 0 and count == before:
                # Nothing has changed: this point must wait until something does.
                slack[newcomer] = 0
                continue
            length = 0.0
            for i in range(count):
                length += own[active[i]] * linear[active[i]]
            if length > HOPELESS:
                break
            is_known = False
            for i in range(num_near):
                row, total = gram[near[i]], linear[near[i]]
                for j in range(count):
                    total -= row[active[j]] * own[active[j]]
                slack[near[i]] = 0 if own[near[i]] != 0 else total


@compiled
def separable(rows, signs, least, max_steps):
    """Tells whether some w has signs_i rows_i . w > 0 for all i: 1 if so, 0 if not, -1 if that stays open.

        min_{a >= 0} |sum_i a_i signs_i rows_i|^2 + (sum_i a_i - 1)^2

    is zero exactly if there is no such w. It ends as soon as the sum itself is such a w, with all points farther from
    its hyperplane than `least`, or the distance, the root of the minimum, is no more than `least`.
    """
    num_points, num_features = rows.shape
    most_active = min(num_points, num_features + 1)
    factor = np.empty((most_active + 1, most_active + 1))
    weights, normal, margins = np.zeros(num_points), np.empty(num_features), np.empty(num_points)
    solution, forward, products = np.empty(most_active + 1), np.empty(most_active + 1), np.empty(most_active + 1)
    cosines, sines, active = np.empty(most_active + 1), np.empty(most_active + 1), np.empty(most_active + 1, np.int64)
    count, most_new = 0, MOST_NEW
    for _ in range(max_steps):
        normal[:] = 0
        mass = 0.0
        for i in range(count):
            row, weight = rows[active[i]], weights[active[i]]
            mass += abs(weight)
            for j in range(num_features):
                normal[j] += weight * row[j]
        squared = np.sum(normal * normal)
        if squared + (1 - mass) ** 2 <= least**2:
            return 0
        margin = np.inf
        for i in range(num_points):
            row, product = rows[i], 0.0
            for j in range(num_features):
                product += row[j] * normal[j]
            margins[i] = signs[i] * product
            margin = min(margin, margins[i])
        if margin > 2 * least * np.sqrt(squared):
            return 1
        # Several points at a time, of those that are violated by a large share of the most.
        before, enough = count, 1 - mass - SHARE_NEW * (1 - mass - margin)
        for number in range(most_new):
            newcomer = np.argmin(margins)
            # What is active must not be added: then rounding has the last word.
            is_usable = weights[newcomer] == 0 and count < most_active
            if (number and not (is_usable and margins[newcomer] < enough)) or not (number or is_usable):
                break
            margins[newcomer] = np.inf
            new = rows[newcomer]
            for i in range(count):
                row, product = rows[active[i]], signs[active[i]] * signs[newcomer]
                for j in range(num_features):
                    product += row[j] * new[j]
                products[i] = product
            pivot = border(factor, count, products, 1 + np.sum(new * new))
            if pivot > LEAST_PIVOT:
                append(factor, forward, active, count, newcomer, pivot, signs[newcomer])
                count += 1
        added = active[before:count].copy()
        count = settle(factor, forward, active, count, signs, weights, solution, cosines, sines)
        if np.any(weights[added] != 0):
            most_new = MOST_NEW
        elif most_new > 1:
            # None of several has stayed: the first of them alone must.
            most_new = 1
        else:
            return -1
    return -1


@compiled
def gather(gram, points, block):
    """Writes the inner products of some points among themselves."""
    for i in range(len(points)):
        row, into = gram[points[i]], block[i]
        for j in range(len(points)):
            into[j] = row[points[j]]
