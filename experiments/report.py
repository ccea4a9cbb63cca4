"""Draws the figures of a study, judges the paper's claims on it and writes report.html, one self-contained page."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("report")
