"""What a notebook shows: tables and figures in their place, and the user's own plots as before the import."""

import os

import pytest

from tests.commands import ROOT

CELLS = (
    "%matplotlib inline\nimport matplotlib.pyplot as plt\nimport numpy as np\nimport memorize_jax",
    "rng = np.random.default_rng(0)\n"
    "layers = {'a': rng.normal(size=(24, 9)).astype('float32'), 'b': rng.normal(size=(24, 7)).astype('float32')}\n"
    "result = memorize_jax.analyze(layers, np.arange(24) % 3, num_draws=10, joint_draws=10, num_center_components=0)",
    "result",
    "result.plot()",
    "plt.plot([1, 2])\nplt.show()",
)


def kinds(cell):
    return {kind for output in cell["outputs"] for kind in output.get("data", {})}


@pytest.mark.slow
def test_a_notebook_shows_tables_and_figures_inline(monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    preprocessors = pytest.importorskip("nbconvert.preprocessors")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    preprocessors.ExecutePreprocessor(timeout=240, kernel_name="python3").preprocess(notebook)
    shown = notebook["cells"]
    assert "text/html" in kinds(shown[2])
    assert "capacity" in shown[2]["outputs"][0]["data"]["text/html"]
    assert "image/png" in kinds(shown[3])
    assert "image/png" in kinds(shown[4])
    # One figure each: nothing is drawn twice, or left open for a later cell.
    assert [len([out for out in cell["outputs"] if "image/png" in out.get("data", {})]) for cell in shown[3:]] == [1, 1]
