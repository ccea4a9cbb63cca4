"""What figures share: style, curves, maps, and what an entry of the catalog is."""
