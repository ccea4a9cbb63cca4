"""Lists the commands, one line each, or runs one: `python -m experiments NAME --flags`."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.main()
