"""In a notebook a plot is a picture before anybody imports pyplot, and none of the reader's own figures."""

import os

import pytest

from tests.commands import ROOT

RESULT = "from tests.own_activations.made_up import analysis\nresult = analysis()"
OWN = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_cells_end_in_tables_and_pictures(monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    preprocessors = pytest.importorskip("nbconvert.preprocessors")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    sources = [RESULT, "result", "result.plot()", OWN, "result.plot()", "plt.get_fignums()"]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    preprocessors.ExecutePreprocessor(timeout=200, kernel_name="python3").preprocess(notebook, {})
    shown = [[set(output.get("data", {})) for output in cell.outputs] for cell in notebook.cells]
    table, picture = {"text/plain", "text/html"}, {"text/plain", "image/png"}
    assert shown == [[], [table], [picture], [picture], [picture], [{"text/plain"}]]
    # The reader's figures are not ours.
    assert notebook.cells[-1].outputs[0]["data"]["text/plain"] == "[]"
