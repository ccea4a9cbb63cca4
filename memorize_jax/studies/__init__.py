"""A study: several runs side by side."""
