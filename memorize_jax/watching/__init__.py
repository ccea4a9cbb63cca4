"""Watching training by somebody else's program: its networks are stored and measured as those of this package are."""

from memorize_jax.watching.watch import Watch

__all__ = ["Watch"]
