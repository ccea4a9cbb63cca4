"""layers="auto": the representations that a network hands on."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from memorize_jax.taps.recording import Call, Entry, Recorder, is_norm


def representations(recorder: Recorder, inputs: Sequence[Any]) -> list[Entry]:
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
    ends = recorder.ends
    shown = {id(array) for array in [*inputs, *(entry.traced for entry in ends)]}
    latest, chosen = {}, {id(entry) for entry in ends}
    has_begun = False
    for entry in recorder.entries.values():
        if entry.role == "returned":
            continue
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
    return [entry for entry in recorder.entries.values() if id(entry) in chosen]


def _mark(call: Call, shows: set[int], reads: set[int]) -> None:
    """Notes which calls inside of one show what they return, and which what they read."""
    kinds = _blocks(call)
    for inner in call.calls:
        if _is_block(inner) or inner.has_weights:
            reads.add(id(inner))
        if _is_block(inner):
            shows.add(id(inner))
            within = _blocks(inner)
            if kinds.count(inner.kind) == 1 or "Sequential" in inner.kind or len(set(within)) < len(within):
                _mark(inner, shows, reads)


def _blocks(call):
    return [inner.kind for inner in call.calls if _is_block(inner)]


def _is_block(call):
    return bool(call.calls) and not is_norm(call.kind)
