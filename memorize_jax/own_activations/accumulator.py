"""Geometry of activations that do not fit into memory: added batch by batch, measured a layer at a time."""

import dataclasses
import os
import warnings
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from memorize_jax.geometry.options import JOINT, MEAN_FIELD, read_options
from memorize_jax.keys import GENERATOR
from memorize_jax.own_activations.analysis import Analysis
from memorize_jax.own_activations.arrays import name_layers, read_layers
from memorize_jax.own_activations.batches import Batches
from memorize_jax.own_activations.examples import (
    Chosen,
    check_choice,
    choose_examples,
    count_examples,
    say_points,
    say_taken,
)
from memorize_jax.own_activations.labels import Labels
from memorize_jax.own_activations.large_layer import Asked, measure_spilled_layer, together
from memorize_jax.own_activations.measure import joint_problems
from memorize_jax.own_activations.pooling import read_tokens
from memorize_jax.own_activations.spilled import SpilledRows
from memorize_jax.own_activations.standing import Standing
from memorize_jax.progress import bar
from memorize_jax.whole import check_whole


class GeometryAccumulator:
    """Takes activations in batches, of any order of classes, and measures them as `analyze` does.

        accumulator = memorize_jax.GeometryAccumulator(examples_per_class=50)
        for batch, labels in loader:
            accumulator.add({"layer1": [b, ...], "layer2": [b, ...]}, labels)
        result = accumulator.result()

    The rows of the examples that stand for their class are written to one temporary file for each layer; the result is
    measured a layer at a time. Memory: that of the largest layer, `large_layer.peak_bytes`, about 9 x 4 P M N bytes
    for P classes of M examples and N units (4.1 GB for 1,000 x 50 x 2,048), however many layers there are. Disk: P M
    times the bytes of one example in all layers (20 GB for 50 such layers in float32), checked before it is written.

    M examples stand for a class: those of which a hash of index and seed is lowest. The index of an example is its
    place among all that were added, unless `add` is told it: with indices of the data set the same examples are chosen
    in whatever order they come, without them only if the order is the same. The size of the batches never matters.
    """

    def __init__(
        self,
        *,
        examples_per_class: int = 50,
        seed: int = 0,
        folder: str | os.PathLike | None = None,
        nan: str = "raise",
        pool: str | Mapping[str, str] = "flatten",
        max_classes: int | None = None,
        unequal: str = "mask",
        num_draws: int = 300,
        kappa: float = 0.0,
        joint_draws: int = 200,
        progress: bool = True,
        **options: Any,
    ):
        """Chooses what is kept and measured.

        Args:
          examples_per_class: M, of every class at most; a class that has fewer is measured on those.
          seed: of the examples chosen, the units sampled and the draws; an integer of 32 bits.
          folder: of the temporary files; the system's own unless given.
          progress: whether `result` shows a bar.
          **options: these and the others are those of `analyze`.

        Raises:
          ValueError: wrong options.
        """
        check_whole("examples_per_class", examples_per_class, least=1)
        check_choice(seed, examples_per_class, max_classes, unequal)
        mean_field = read_options(None, {"num_draws": num_draws, "kappa": kappa, **options}, MEAN_FIELD)
        joint = read_options(None, {"num_draws": joint_draws, "kappa": kappa}, JOINT) if joint_draws else None
        self._asked = Asked(mean_field, joint, jax.random.key(seed, impl=GENERATOR))
        self._options = {"examples_per_class": examples_per_class, "max_classes": max_classes, "unequal": unequal}
        self._options |= {"nan": nan, "pool": pool, "num_draws": num_draws, "kappa": kappa, "joint_draws": joint_draws}
        self._options |= options
        self._batches = Batches(nan)
        self._standing = Standing(examples_per_class, seed)
        self._seed, self._folder, self._progress = seed, folder, progress
        self._spilled: SpilledRows | None = None
        self._result: Analysis | None = None
        self._is_broken = False  # a batch was counted, but is not on the disk as a whole

    def add(self, activations: Any, labels: Any, *, indices: Any = None, mask: Any = None, tokens: Any = None) -> None:
        """Adds a batch.

        Args:
          activations: name -> [b, ...] for every layer, the same in all batches; or one array [b, ...].
          labels: [b], the class of every example.
          indices: [b] integers >= 0, each example's own, which decide whether it is among those that stand for its
            class; by default they are counted as they come.
          mask: [b] booleans, which examples take part.
          tokens: [b, tokens] of 0 and 1, for `pool`.

        Raises:
          ValueError: what `analyze` refuses; layers that are missing or new, another number of units than before, an
            index that was there before; anything after `result`. Nothing of the batch is kept then. Also anything
            after a batch that could not be written.
          OSError: the disk is full. Where it was not before the batch was written, all is lost: `add` and `result` then
            raise ValueError.
        """
        self._refuse_if_broken()
        if self._result is not None:
            raise ValueError("expected no more batches after result(); make a new GeometryAccumulator")
        given = name_layers(activations)
        batch = self._batches.read(given, labels, indices=indices, mask=mask)
        count = len(batch.names)
        real = read_tokens(tokens, count, batch.is_asked)
        layers = read_layers(given, count, pool=self._options["pool"], seed=self._seed, tokens=real)
        is_taken = self._batches.check(layers, batch)
        rows = np.flatnonzero(is_taken)
        names = batch.names[rows].tolist()
        spilled = self._spilled
        if spilled is None:
            widths = {name: values.shape[1] for name, values in layers.items()}
            spilled = SpilledRows(self._folder, widths, {name: each.dtype for name, each in layers.items()})
        num_new = len(set(names) - self._standing.classes.keys())
        spilled.check_room(min(num_new * self._standing.examples_per_class, len(names)))
        self._standing.check(batch.indices[rows])
        # From here on the batch is counted and written: nothing may stop in between, not even Ctrl-C.
        self._spilled, self._is_broken = spilled, True
        try:
            places = self._standing.offer(names, batch.indices[rows])
            slots = np.fromiter(places, np.int64, len(places))
            own = rows[np.fromiter(places.values(), np.int64, len(places))]
            if len(slots):
                for name, values in layers.items():
                    spilled.write(name, slots, values[own])
            self._batches.accept(layers, batch, is_taken)
            self._is_broken = False
        finally:
            if self._is_broken:
                spilled.close()

    def result(self) -> Analysis:
        """Measures all layers; equal to `analyze` of the examples in `indices` by increasing index, to rounding.

        In another order `analyze` gives other draws to these examples, and its numbers differ as those of two seeds do.

        The temporary files are given back. A second call returns the same.

        Raises:
          ValueError: nothing was added, a batch could not be written, a single class, more than memory holds for a
            layer.
        """
        self._refuse_if_broken()
        if self._result is not None:
            return self._result
        if self._spilled is None:
            raise ValueError("expected batches before result(), got none; accumulator.add(layers, labels) adds one")
        slots, chosen = self._chosen()
        names, found = list(self._spilled.widths), []
        with bar("geometry", "layer" if self._progress else "", len(names)) as shown:
            for name in names:
                found.append(measure_spilled_layer(self._spilled, name, slots, self._asked))
                shown.update()
        geometry, joint, participation = together(found)
        named = {"layers": tuple(names), "classes": tuple(chosen.indices)}
        geometry = dataclasses.replace(geometry, **named)
        joint = None if joint is None else dataclasses.replace(joint, **named)
        problems = geometry.problems() + ([] if joint is None else joint_problems(joint, geometry))
        if said := say_points(np.array([len(own) for own in slots]), chosen.there):
            problems.append(said)
        if problems:
            warnings.warn("; ".join(problems), stacklevel=2)
        kappa, taken = self._options["kappa"], chosen.taken + self._batches.left_out
        fields = (tuple(names), self._seed, kappa, chosen.indices, taken, self._options)
        self._result = Analysis(geometry, joint, participation, *fields)
        self._spilled.close()
        return self._result

    def _chosen(self):
        """Slots of every class in the order of its examples, and what is known of the choice."""
        standing, asked = self._standing, self._options["examples_per_class"]
        names = sorted(standing.classes)
        if len(names) < 2:
            raise ValueError(f"expected labels of at least 2 classes, got {names}")
        slots = np.array(sorted(standing.index_of, key=standing.index_of.__getitem__))
        place = {standing.classes[name]: code for code, name in enumerate(names)}
        codes = np.array([place[number] for number in (slots // standing.examples_per_class).tolist()])
        if self._options["unequal"] == "subsample":
            asked = min(asked, int(np.bincount(codes).min()))
        sizes = {"max_classes": self._options["max_classes"], "unequal": self._options["unequal"]}
        taken = np.ones(len(slots), bool)
        examples = count_examples(Labels(codes, tuple(names)), taken, examples_per_class=asked, **sizes)
        rows = choose_examples(examples._replace(is_exact=False), self._asked.key).indices
        seen = np.array([standing.seen[standing.classes[name]] for name in rows])
        said = say_taken(np.array([len(own) for own in rows.values()]), seen, len(names))
        indices = {
            name: np.array([standing.index_of[slot] for slot in slots[own].tolist()]) for name, own in rows.items()
        }
        return [slots[own] for own in rows.values()], Chosen(indices, seen, said)

    def _refuse_if_broken(self):
        if self._is_broken:
            raise ValueError("a batch could not be written; begin a new accumulator")

    def __getstate__(self):
        raise TypeError("a GeometryAccumulator holds temporary files and cannot be copied or pickled; its result can")
