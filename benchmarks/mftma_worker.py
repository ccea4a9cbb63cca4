"""Runs the published tool on points from a file; started by `peers.mftma` under the Python that has its requirements.

    python benchmarks/mftma_worker.py TOOL_FOLDER POINTS.npz RESULT.npz NUM_DRAWS

Imports nothing of this project: the tool needs versions of NumPy and pymanopt that the project does not run with.
"""

import sys
import time

import numpy as np


def main(path: str, points_file: str, result_file: str, num_draws: str) -> None:
    """Measures and writes RESULT.npz; `seconds` and `cpu` are of the call alone, without imports and files."""
    sys.path.insert(0, path)
    from mftma.manifold_analysis_correlation import manifold_analysis_corr

    points = np.load(points_file)["points"].astype(np.float64)
    manifolds = [np.ascontiguousarray(one.T) for one in points]
    np.random.seed(0)
    start, cpu = time.perf_counter(), time.process_time()
    capacity, radius, dimension, correlation, num_components = manifold_analysis_corr(
        manifolds, 0, int(num_draws), n_reps=1
    )
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    shared = {"center_correlation": correlation, "num_center_components": num_components}
    np.savez(result_file, capacity=capacity, radius=radius, dimension=dimension, **shared, seconds=seconds, cpu=cpu)


if __name__ == "__main__":
    main(*sys.argv[1:])
