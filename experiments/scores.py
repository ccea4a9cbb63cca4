"""Scores how much every example is memorized, and which examples it depends on, by networks trained on parts."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("scores")
