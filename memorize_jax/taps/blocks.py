"""layers="auto": the representations that a network hands on."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from memorize_jax.taps.recording import Call, Entry, Recorder


def representations(recorder: Recorder, available: Sequence[Entry], inputs: Sequence[Any]) -> list[Entry]:
    """Chooses the outputs of the blocks, and what the layers of weights between them read.

    In JAX a nonlinearity is as a rule a function, not a module: what comes after it has no name of its own, but it is
    what the next layer of weights reads. Hence, in the order of the forward pass:

    - the output of each block: of each module made of modules. Inside a block nothing is shown, unless it has no
      sibling of its class (an encoder, a network in a network), is a sequence, or holds several blocks of one class;
    - outside of the blocks, the input of each block and each module that has a matrix of weights, except what comes
      before the first: "Dense_1" if that module put it out as it is, else "Dense_2.input", what Dense_2 reads;
    - what the network sows;
    - what the network returns, as "output".

    The same array is shown once, and the input of the network never.
    """
    shows, reads = set(), set()
    _mark(recorder.root, shows, reads)
    ends = [entry for entry in available if entry.call is recorder.root and entry.role == "output"]
    shown = {id(array) for array in [*inputs, *(entry.traced for entry in ends)]}
    latest, chosen = {}, {id(entry) for entry in ends}
    has_begun = False
    for entry in available:
        same, call = id(entry.traced), id(entry.call)
        if entry.role == "input":
            wanted, named = has_begun and call in reads and not entry.is_inside, latest.get(same, entry)
        else:
            wanted, named = entry.role == "sown" or call in shows, entry
            latest[same] = entry
            if entry.role == "output":
                # Of several arrays that a block returns, the first.
                shows.discard(call)
        has_begun = has_begun or (entry.role == "output" and entry.call.has_weights)
        if wanted and same not in shown and jnp.issubdtype(entry.traced.dtype, jnp.floating):
            shown.add(same)
            chosen.add(id(named))
    return [entry for entry in available if id(entry) in chosen]


def _mark(call: Call, shows: set[int], reads: set[int]) -> None:
    """Notes which calls inside of one show what they return, and which what they read."""
    kinds = [inner.kind for inner in call.calls if inner.calls]
    for inner in call.calls:
        if inner.calls or inner.has_weights:
            reads.add(id(inner))
        if inner.calls:
            shows.add(id(inner))
            within = [each.kind for each in inner.calls if each.calls]
            has_blocks = any(within.count(kind) > 1 for kind in within)
            if kinds.count(inner.kind) == 1 or "Sequential" in inner.kind or has_blocks:
                _mark(inner, shows, reads)
