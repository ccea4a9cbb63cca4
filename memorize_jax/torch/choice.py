"""Which layers of a network are taken: by name, by pattern, or the outputs of its blocks and nonlinearities."""

import fnmatch
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from memorize_jax.torch.hooks import call_name, names_of
from memorize_jax.torch.library import torch

# Of these a list is made, which is no computation of its own.
LISTS = (torch.nn.Sequential, torch.nn.ModuleList, torch.nn.ModuleDict)
# A layer of a kind derived from one of these may have parts, such as one that pads.
LAYERS = (torch.nn.modules.conv._ConvNd, torch.nn.Linear)
NO_NONLINEARITY = ("Softmax", "LogSoftmax", "Softmax2d", "Softmin", "MultiheadAttention")
NAMES_SHOWN = 12
SIBLINGS = 3


class Call(NamedTuple):
    """One call of a module in a pass through the network."""

    name: str
    number: int
    output: Any  # its tensor, or None


def choose(model: Any, calls: Sequence[Call], layers: str | Sequence[str]) -> list[tuple[str, int]]:
    """Chooses calls of modules, in the order in which they returned.

    Args:
      calls: of all modules, as one pass made them.
      layers: "auto"; a name or pattern, or several. "relu" is every call of that module, "relu#2" the second alone;
        `*` stands for anything, dots too.

    Raises:
      ValueError: a name or pattern that nothing goes by, or whose modules are never called.
    """
    if isinstance(layers, str):
        return _auto(model, calls) if layers == "auto" else _matching(model, calls, [layers])
    if not isinstance(layers, Sequence) or not layers or not all(isinstance(each, str) for each in layers):
        raise ValueError(f"expected layers to be 'auto', a name, a pattern or a list of these, got {layers!r}")
    return _matching(model, calls, list(layers))


def _matching(model, calls, patterns):
    modules, others = names_of(model)
    called = {call.name for call in calls}
    names = dict.fromkeys(call.name for call in calls)
    chosen = set()
    for pattern in patterns:
        found = {(c.name, c.number) for c in calls if matches(call_name(c.name, c.number), c.name, c.number, pattern)}
        if not found:
            raise ValueError(_nothing(pattern, modules, others, called, list(names)))
        chosen |= found
    return [(call.name, call.number) for call in calls if (call.name, call.number) in chosen]


def matches(key: str, name: str, number: int, pattern: str) -> bool:
    """Whether a pattern means this call of a module."""
    return any(fnmatch.fnmatchcase(each, pattern) for each in (key, name, f"{name}#{number}"))


def _nothing(pattern, modules, others, called, names):
    bare = pattern.partition("#")[0]
    if pattern in others:
        first = others[pattern]
        return f"layer {pattern!r} is the same module as {first!r}; ask for {first!r}, its second call is '{first}#2'"
    if bare in called:
        return f"layer {bare!r} is not called often enough for {pattern!r} in a forward pass"
    if bare in modules:
        parts = [each for each in names if each.startswith(f"{bare}.")]
        inside = f"; parts of it that are: {_listed(parts)}" if parts else "; choose another layer"
        return f"layer {bare!r} is never called in a forward pass in evaluation mode{inside}"
    if known := [each for each in modules if fnmatch.fnmatchcase(each, pattern)]:
        return f"layers {pattern!r} are never called in a forward pass in evaluation mode: {_listed(known)}"
    return f"expected a name or pattern of layers, got {pattern!r}, which nothing goes by; there are {_listed(names)}"


def _listed(names):
    shown = ", ".join(names[:NAMES_SHOWN])
    return f"{shown} and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else shown


def _auto(model, calls):
    """Blocks, nonlinearities that are in no block, and a layer with parameters that comes after all of these."""
    outputs = {call.name: call.output for call in calls}
    blocks = blocks_of(model, outputs)
    inside = lambda name: any(name == block or name.startswith(f"{block}.") for block in blocks)
    modules = dict(model.named_modules())
    is_leaf = lambda module: not list(module.children()) or isinstance(module, LAYERS)
    leaves = [call for call in calls if is_leaf(modules[call.name]) and not inside(call.name)]
    bent = [call for call in leaves if is_nonlinearity(modules[call.name])]
    weighted = [call for call in leaves if call not in bent and list(modules[call.name].parameters(recurse=False))]
    if not blocks and not bent:
        if not weighted:
            raise ValueError("layers='auto' finds no block, nonlinearity or layer with parameters; name the layers")
        warnings.warn(
            "layers='auto' finds neither blocks nor nonlinearities that are modules, and takes the outputs of "
            f"{_listed([call.name for call in weighted])}: these are before any function such as F.relu; modules such "
            "as torch.nn.ReLU can be hooked",
            stacklevel=2,
        )
        return [(call.name, call.number) for call in weighted]
    last = max(place for place, call in enumerate(calls) if call.name in blocks or call in bent)
    output = [call for call in weighted if call in calls[last:]][-1:]
    chosen = {(call.name, call.number) for call in (*bent, *output)}
    return [(c.name, c.number) for c in calls if c.name in blocks or (c.name, c.number) in chosen]


def is_nonlinearity(module: Any) -> bool:
    """Whether a module without parts is such as ReLU, by where its class is defined, or an LSTM or the like."""
    kind = type(module)
    if isinstance(module, (torch.nn.RNNBase, torch.nn.RNNCellBase)):
        return True
    return kind.__module__.rpartition(".")[2].startswith("activation") and kind.__name__ not in NO_NONLINEARITY


def blocks_of(model: Any, outputs: Mapping[str, Any]) -> set[str]:
    """Names of the blocks: modules with parts that do something of their own with them, as a residual block does.

    The topmost ones, below the network itself. Not a block is a list of modules, a module that holds a list of blocks,
    as an encoder does, and a stage: a member of a list that holds a list of blocks of one kind and returns what the
    last of them returns. Three modules of one kind side by side are a list too.
    """
    found = set()

    def visit(module, name, is_list):
        kinds = Counter(type(child) for _, child in module.named_children())
        for part, child in module.named_children():
            is_member = is_list or kinds[type(child)] >= SIBLINGS
            below = f"{name}.{part}" if name else part
            if not list(child.children()) or isinstance(child, LAYERS):
                continue
            if _is_list(child):
                visit(child, below, True)
            elif members := _members(child):
                stage = not is_member or _is_stage(child, below, members, outputs)
                if stage:
                    visit(child, below, False)
                else:
                    found.add(below)
            else:
                found.add(below)

    visit(model, "", isinstance(model, LISTS))
    return found & outputs.keys()


def _is_list(module):
    """Also of a kind derived from one, unless it computes in a way of its own."""
    own = type(module).forward
    return isinstance(module, LISTS) and own in (
        torch.nn.Module.forward,
        torch.nn.Sequential.forward,
        *(kind.forward for kind in LISTS),
    )


def _members(module):
    """Name -> member with parts, no list itself, of the lists below a module."""
    found = {}
    for name, child in module.named_modules():
        if isinstance(child, LISTS):
            members = {f"{name}.{part}".lstrip("."): each for part, each in child.named_children()}
            found |= {place: each for place, each in members.items() if list(each.children()) and not _is_list(each)}
    return found


def _is_stage(module, name, members, outputs):
    # Only the members that are in no other member.
    outer = {
        place: each
        for place, each in members.items()
        if not any(place.startswith(f"{up}.") for up in members if up != place)
    }
    own = outputs.get(name)
    last = [outputs.get(f"{name}.{place}") for place in outer]
    return len({type(each) for each in outer.values()}) == 1 and own is not None and any(each is own for each in last)
