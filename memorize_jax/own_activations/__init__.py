"""Bring your own network: geometry of activations from any framework, in memory or in a file."""
