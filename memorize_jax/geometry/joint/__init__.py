"""Joint geometry: capacity, radius and dimension of manifolds as they lie to one another."""
