"""Quadratic programs, batched: of manifolds (one Gram matrix, many draws) and of cones (a sign for every point)."""
