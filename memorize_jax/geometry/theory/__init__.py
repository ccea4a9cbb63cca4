"""What manifold geometry is compared with: balls, simulated capacity, dimension of all points together."""
