"""Files that activations are read from, one format each."""
