"""Which of the examples that pass by, in any order, stand for their class."""

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int, UInt64


class Standing:
    """At most M examples of every class, each in a slot of its own; classes are numbered as they come.

    Every example has a priority, a hash of its index and the seed, and those of the lowest priority stay: M random
    examples of a class, whatever the batches are and in whatever order they come.
    """

    def __init__(self, examples_per_class: int, seed: int):
        self.examples_per_class = examples_per_class
        self.seed = seed
        self.classes: dict[Any, int] = {}  # name -> number
        self.seen: list[int] = []  # examples of each class
        self.index_of: dict[int, int] = {}  # slot -> index of the example in it
        self._kept: set[int] = set()
        self._worst: list[list[tuple[int, int]]] = []  # heaps of (-priority, slot), one for each class

    def check(self, indices: Int[np.ndarray, " b"]) -> None:
        """Raises ValueError if an index of a batch stands for a class already, or is in it twice."""
        given = indices.tolist()
        if len(set(given)) < len(given) or not self._kept.isdisjoint(given):
            twice = next(index for place, index in enumerate(given) if index in self._kept or index in given[:place])
            raise ValueError(f"expected every example once, got index {twice} again; leave it out, or give other ones")

    def offer(self, names: Sequence[Any], indices: Int[np.ndarray, " b"]) -> dict[int, int]:
        """Takes a batch that `check` has let pass; returns slot -> row of the batch for the examples that stay."""
        places: dict[int, int] = {}
        for row, (name, index, priority) in enumerate(
            zip(names, indices.tolist(), priorities(indices, self.seed).tolist(), strict=True)
        ):
            slot = self._slot(name, priority)
            if slot is not None:
                self._kept.discard(self.index_of.get(slot, -1))
                self._kept.add(index)
                self.index_of[slot] = index
                places[slot] = row
        return places

    def _slot(self, name, priority):
        """Where an example goes; None if better ones stand for its class."""
        number = self.classes.setdefault(name, len(self.classes))
        if number == len(self.seen):
            self.seen.append(0)
            self._worst.append([])
        self.seen[number] += 1
        heap = self._worst[number]
        if len(heap) < self.examples_per_class:
            slot = number * self.examples_per_class + len(heap)
            heapq.heappush(heap, (-priority, slot))
            return slot
        if priority >= -heap[0][0]:
            return None
        slot = heap[0][1]
        heapq.heapreplace(heap, (-priority, slot))
        return slot


def priorities(indices: Int[np.ndarray, " b"], seed: int) -> UInt64[np.ndarray, " b"]:
    """Hashes indices together with a seed (the finalizer of splitmix64, Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):
        mixed = indices.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15) * np.uint64(seed % 2**32 + 1)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        return mixed ^ (mixed >> np.uint64(31))
