"""Figures, drawn from tables alone; one file per question."""

from memorize_jax.figures.decoding import draw_decoding, draw_decoding_dynamics
from memorize_jax.figures.double_descent import draw_double_descent
from memorize_jax.figures.geometry import MEASURES, draw_geometry
from memorize_jax.figures.gradients import draw_gradients
from memorize_jax.figures.rewinding import draw_rewinding
from memorize_jax.figures.seeds import draw_geometry_over_seeds
from memorize_jax.figures.training import draw_training

__all__ = [
    "MEASURES",
    "draw_decoding",
    "draw_decoding_dynamics",
    "draw_double_descent",
    "draw_geometry",
    "draw_geometry_over_seeds",
    "draw_gradients",
    "draw_rewinding",
    "draw_training",
]
