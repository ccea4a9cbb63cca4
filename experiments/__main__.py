"""Lists the commands, one line each."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.main()
