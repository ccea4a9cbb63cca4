"""Figures, drawn from tables alone; one file per question."""

from memorize_jax.figures.catalogue import ALIASES, FIGURES, Figure, caption, draw, missing, select
from memorize_jax.figures.geometry import MEASURES, draw_geometry

__all__ = ["ALIASES", "FIGURES", "MEASURES", "Figure", "caption", "draw", "draw_geometry", "missing", "select"]
