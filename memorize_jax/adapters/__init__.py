"""Networks of other libraries, as measurements read them."""

from memorize_jax.adapters.network import AnyNetwork, WatchedNetwork, modules_of_layers

__all__ = ["AnyNetwork", "WatchedNetwork", "modules_of_layers"]
