"""memorize_jax: see where and when a deep network memorizes."""
