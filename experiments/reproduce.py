"""Makes a whole study: trains, measures what is missing, draws, judges the paper's claims, writes the report."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("reproduce")
