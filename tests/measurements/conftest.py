import dataclasses

import pytest

from tests.measurements import tiny


@pytest.fixture(scope="session")
def tiny_runs(tmp_path_factory):
    """Folders of a trained run, of one without permuted labels, and of one of the spheres, which has no networks."""
    folder = tmp_path_factory.mktemp("runs")
    return {
        "trained": tiny.trained(folder / "trained"),
        "unpermuted": tiny.trained(folder / "unpermuted", dataclasses.replace(tiny.CONFIG, permuted_fraction=0.0)),
        "spheres": tiny.untrained(folder / "spheres", dataclasses.replace(tiny.CONFIG, dataset="spheres_small")),
    }
