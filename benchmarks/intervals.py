"""How often the 95 % intervals of repeated measurements hold what a large sample gives.

    python -m benchmarks.intervals            # prints, about a quarter of an hour on two cores
    python -m benchmarks.intervals --write    # into docs/math.md

Examples of ten Gaussian classes are drawn anew in every try, as one, two and five times as many as a repeat takes. Three
networks show them: the first and the second by the same law, with half of the variation of every example in common; the
third as the first does, with a tenth less of it. What a large sample gives is the mean over sets that share no example.
"""

import concurrent.futures
import multiprocessing
import os

import numpy as np
import pandas as pd
from absl import app, flags

from benchmarks import document
from benchmarks.tables import table
from memorize_jax.own_activations.analyze import analyze
from memorize_jax.own_activations.compare import repeats_of_layers
from memorize_jax.own_activations.comparison import Comparison

MODULE = "benchmarks.intervals"
NUM_CLASSES, NUM_EXAMPLES, NUM_FEATURES, REPEATS = 10, 20, 100, 20
TIMES = (1, 2, 5)
LAYERS = ("first", "same law", "less spread")
# Pairs of them, as places.
PAIRS = {"same law": (0, 1), "less spread": (0, 2)}

FLAGS = flags.FLAGS
flags.DEFINE_bool("write", False, "write the table into docs/math.md")
flags.DEFINE_integer("tries", 40, "sets of examples drawn for each number of them")
flags.DEFINE_integer("large", 400, "sets of the large sample")
flags.DEFINE_integer("workers", 2, "processes, of one core each")


def draw(num_examples: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draws layers and labels: classes with a spectrum of 1/k in directions of their own, centers that share one."""
    fixed, rng = np.random.default_rng(0), np.random.default_rng([1, seed])
    spectrum = np.arange(1, NUM_FEATURES + 1) ** -0.5
    spectrum *= np.sqrt(NUM_FEATURES / np.sum(spectrum**2))
    shared = fixed.normal(size=(1, NUM_FEATURES))
    parts = {name: [] for name in LAYERS}
    for _ in range(NUM_CLASSES):
        turn = np.linalg.qr(fixed.normal(size=(NUM_FEATURES, NUM_FEATURES)))[0] * spectrum[:, None]
        center = 1.5 * (fixed.normal(size=NUM_FEATURES) + 0.5 * fixed.normal() * shared[0])
        common, own, other = rng.normal(size=(3, num_examples, NUM_FEATURES))
        first, second = (center + np.sqrt(0.5) * (common + each) @ turn for each in (own, other))
        for name, points in zip(LAYERS, (first, second, center + 0.9 * (first - center)), strict=True):
            parts[name].append(points.astype(np.float32))
    labels = np.repeat(np.arange(NUM_CLASSES), num_examples)
    return {name: np.concatenate(own) for name, own in parts.items()}, labels


def large_sample(num_sets: int) -> pd.Series:
    """Means over sets that share no example, by layer and measure."""
    layers, labels = draw(num_sets * NUM_EXAMPLES, seed=0)
    return analyze(layers, labels, examples_per_class=NUM_EXAMPLES, repeats=num_sets).intervals["value"]


def one_try(times: int, number: int) -> pd.DataFrame:
    """Intervals of the three networks, and of two pairs of them, by layer and measure."""
    layers, labels = draw(times * NUM_EXAMPLES, seed=1000 * times + number)
    found = analyze(layers, labels, examples_per_class=NUM_EXAMPLES, repeats=REPEATS, seed=number)
    repeats = [repeats_of_layers(found.repeats, [pair[side] for pair in PAIRS.values()]) for side in (0, 1)]
    paired = Comparison(tuple(PAIRS), *repeats).to_dataframe().set_index(["layer", "measure"])
    alone = found.intervals
    kept = ["low", "high", "standard_error"]
    return pd.concat({"alone": alone[kept], "paired": paired[kept]}, names=["kind"]).assign(times=times, number=number)


def summarized(tries: pd.DataFrame, large: pd.Series) -> str:
    """Shares of the tries whose interval holds what the large sample gives, in percent; Markdown.

    The last column is the median width of paired intervals, of the first and the third network, in that of unpaired ones.
    """
    large = large.unstack("layer")
    expected = {("alone", "first"): large["first"]}
    # Of one law the difference is nothing, whatever a finite sample gives.
    expected["paired", "same law"] = 0 * large["first"]
    expected["paired", "less spread"] = large["first"] - large["less spread"]
    rows = []
    for measure in large.index:
        own, row = tries.xs(measure, level="measure"), {"measure": measure}
        for (kind, name), values in expected.items():
            for times in TIMES:
                part = own.loc[(kind, name)].query("times == @times")
                holds = (part["low"] <= values[measure]) & (values[measure] <= part["high"])
                row[f"{name}, {times} M"] = round(100 * holds.mean())
        first, third = (own.loc[("alone", name), "standard_error"].to_numpy() for name in ("first", "less spread"))
        paired = own.loc[("paired", "less spread"), "standard_error"].to_numpy()
        rows.append(row | {"paired/unpaired": float(np.median(paired / np.hypot(first, third)))})
    return table(rows)


def _one_core(places):
    os.sched_setaffinity(0, {places.get()})


def main(_) -> None:
    """Prints or writes the table."""
    context, cores = multiprocessing.get_context("spawn"), sorted(os.sched_getaffinity(0))
    places = context.Queue()
    for number in range(FLAGS.workers):
        places.put(cores[number % len(cores)])
    units = [(times, number) for number in range(FLAGS.tries) for times in TIMES]
    with concurrent.futures.ProcessPoolExecutor(FLAGS.workers, context, _one_core, (places,)) as pool:
        large = pool.submit(large_sample, FLAGS.large)
        tries = []
        for place, found in enumerate(pool.map(one_try, *zip(*units, strict=True))):
            tries.append(found)
            if place % 12 == 11:
                print(f"{place + 1} of {len(units)}", flush=True)
        text = summarized(pd.concat(tries).sort_index(), large.result())
    print(text)
    if FLAGS.write:
        document.write(MODULE, text, document.ROOT / "docs" / "math.md")


if __name__ == "__main__":
    app.run(main)
