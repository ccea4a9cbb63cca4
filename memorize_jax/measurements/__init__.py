"""Measurements of a trained network, a room for each."""
