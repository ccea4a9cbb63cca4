"""Data sets, permuted labels and the groups of examples the paper compares."""

from memorize_jax.data.labels import MODES, PermutedLabels, permute_labels
from memorize_jax.data.registry import LOADERS, check_name, check_size, load
from memorize_jax.data.spheres import make_spheres
from memorize_jax.data.splits import Split, Splits
from memorize_jax.data.standardize import SCALINGS, ChannelStatistics, channel_statistics, standardize
from memorize_jax.data.subsets import GROUPS, Group, example_groups, manifold_indices

__all__ = [
    "GROUPS",
    "LOADERS",
    "MODES",
    "SCALINGS",
    "ChannelStatistics",
    "Group",
    "PermutedLabels",
    "Split",
    "Splits",
    "channel_statistics",
    "check_name",
    "check_size",
    "example_groups",
    "load",
    "make_spheres",
    "manifold_indices",
    "permute_labels",
    "standardize",
]
