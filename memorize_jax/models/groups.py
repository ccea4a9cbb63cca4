"""Groups of layers that are moved together from one network into another."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from memorize_jax.models.layers import CONVOLUTION, Layer, kind_of, layer
from memorize_jax.models.norms import norm_modules, unknown_state

BN_POLICIES = ("with_layer", "keep", "rewind_stats_only", "recalibrate")
EXPECTED = "comma-separated each, conv, all, last:K, windows, windows:K with K >= 1, or names of layers joined by +"


class LayerGroup(NamedTuple):
    """Layers that are moved together.

    Attributes:
      name: names of the layers joined by "+".
      layers: at least one.
    """

    name: str
    layers: tuple[Layer, ...]

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of the modules that hold their variables."""
        return tuple(module for layer in self.layers for module in layer.modules)


def check_groups(spec: str, setting: str) -> None:
    """Raises ValueError where `select_groups` would for any network; `setting` is the name of the choice."""
    for item in map(str.strip, spec.split(",")):
        kind, counted, count = item.partition(":")
        is_good = kind in ("last", "windows") and count.isdecimal() and int(count) >= 1 if counted else item
        if not is_good:
            raise ValueError(f"expected {setting} to be {EXPECTED}, got {item!r}")


def select_groups(spec: str, layers: Sequence[Layer], setting: str) -> list[LayerGroup]:
    """Reads a choice of layers and sets of layers.

    Args:
      spec: comma-separated: "each" for every layer by itself, "conv" for every convolution by itself (figure 4 leaves
        the linear layers out), "last:K" for the last K layers together, "windows:K" for all K consecutive layers,
        "windows" for consecutive layers of every number, "all" for all together, or names of layers joined by "+".
        Groups come in this order, each once.
      layers: of the network, in order.
      setting: name of the choice, for the error message.

    Raises:
      ValueError: the network has no such layers; names those it has.
    """
    check_groups(spec, setting)
    found = []
    for item in map(str.strip, spec.split(",")):
        sets = _sets(item, list(layers))
        if not sets:
            why = "; the network has no convolutions" if item == "conv" else ""
            raise ValueError(f"expected {setting} among {', '.join(one.name for one in layers)}, got {item!r}{why}")
        found += [LayerGroup("+".join(one.name for one in chosen), tuple(chosen)) for chosen in sets]
    return list(dict.fromkeys(found))


def _sets(item: str, layers: list[Layer]) -> list[list[Layer]]:
    kind, _, count = item.partition(":")
    if kind == "windows":
        lengths = [int(count)] if count else range(1, len(layers) + 1)
        return [layers[at : at + length] for length in lengths for at in range(len(layers) - length + 1)]
    if kind == "last":
        return [layers[-int(count) :]]
    if item in ("each", "conv"):
        return [[one] for one in layers if item == "each" or kind_of(one.name) == CONVOLUTION]
    if item == "all":
        return [layers]
    names = set(item.split("+"))
    # In the order of the network and each once, so that a set of layers has one name.
    return [[one for one in layers if one.name in names]] if names <= {one.name for one in layers} else []


def count_groups(spec: str, num_layers: int) -> int:
    """About how many groups `select_groups` finds in a network of so many layers, all of which may be convolutions."""
    counted = [layer("conv", number, "") for number in range(1, num_layers + 1)]
    return sum(len(_sets(item, counted)) or 1 for item in map(str.strip, spec.split(",")))


def transplant(recipient: dict, donor: dict, modules: Collection[str], *, bn: str = "with_layer") -> dict:
    """Puts modules of one network into another of the same shape; leaves are shared with both, not copied.

    Args:
      recipient: params and batch_stats.
      donor: params and batch_stats; only `modules` need be there.
      modules: names, as of `LayerGroup.modules`; those neither network has are passed over.
      bn: what happens to the BatchNorm of the layers that are moved: "with_layer" moves its scale, offset and running
        statistics with kernel and bias; "keep" moves none of them; "rewind_stats_only" moves the running statistics,
        but not scale and offset; "recalibrate" moves as "with_layer" does, and expects the running statistics to be
        measured anew. Which modules are norms their running statistics say, see `norms.norm_modules`; a norm without
        them, as LayerNorm, moves with its layer.

    Raises:
      ValueError: unknown `bn`; none of the modules is in the donor; what stays with "keep", or moves alone with
        "rewind_stats_only", cannot be told, as a module has state that is not known to be a norm's.
    """
    if bn not in BN_POLICIES:
        raise ValueError(f"expected bn to be one of {', '.join(BN_POLICIES)}, got {bn!r}")
    held = {module for collection in donor.values() for module in collection}
    if not held.intersection(modules):
        raise ValueError(f"expected a network with one of {', '.join(modules)}, got {', '.join(sorted(held))}")
    stays = {"keep": {"params", "batch_stats"}, "rewind_stats_only": {"params"}}.get(bn, set())
    norms = norm_modules(recipient) if stays else set()
    if stays and (unknown := unknown_state(recipient, donor, modules)):
        module, names = next(iter(unknown.items()))
        raise ValueError(
            f"expected bn=with_layer, as the state of {module} ({', '.join(names)}) is not known to be the running "
            f"mean and variance of a norm, got {bn}"
        )
    result = {}
    for collection, contents in recipient.items():
        given = donor.get(collection, {})
        moved = {module for module in modules if module in given and not (module in norms and collection in stays)}
        result[collection] = {name: given[name] if name in moved else value for name, value in contents.items()}
    return result
