"""Retrains single layers on unpermuted examples alone and measures whether permuted ones get their labels back."""

from memorize_jax import commands

if __name__ == "__main__":
    commands.run("retraining")
