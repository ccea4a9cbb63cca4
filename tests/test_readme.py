import fnmatch
import importlib.metadata
import importlib.util
import operator
import pathlib
import re
import shutil
import tomllib

import numpy as np
import pandas as pd
import pytest
import scipy.io
import yaml
from packaging.version import Version

import memorize_jax
from memorize_jax.commands import commands
from memorize_jax.measurements.registry import tables
from memorize_jax.presets import PRESETS
from tests.commands import ROOT, blocks

# Where the site is, once it is built.
SITE_DIR = re.search(r"^site_dir: (\S+)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.MULTILINE)[1]
GUIDES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "guides").glob("*.md"))}
TEXTS = {
    path: path.read_text(encoding="utf-8")
    for path in (
        *(ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs" / "cloud-tpu.md"),
        *(path for folder in ("guides", "tutorial") for path in sorted((ROOT / "docs" / folder).glob("*.md"))),
    )
}
TEXT = TEXTS[ROOT / "README.md"]
# What a newcomer reads first.
PROSE = {
    path: re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for path, text in TEXTS.items()
    if path.parent in (ROOT, ROOT / "docs" / "guides")
}
FILE_ENDINGS = {".cff", ".csv", ".html", ".json", ".md", ".npz", ".py", ".toml", ".txt"}
COMMANDS = [line for text in TEXTS.values() for block in blocks(text, "sh") for line in block.splitlines()]


def test_the_first_two_blocks_are_one_command_each_to_reproduce_and_to_test():
    reproduce, test = (block.strip() for block in blocks(TEXT, "sh")[:2])
    assert "\n" not in reproduce
    assert "\n" not in test
    assert "-m experiments.reproduce" in reproduce
    assert "-m pytest" in test


def test_every_module_that_a_command_runs_and_every_file_that_it_reads_exists():
    for command in COMMANDS:
        named = re.findall(r"python3? -m ([\w.]+)", command)
        assert named or re.match(r"(gcloud|gcsfuse|export|memorize|mkdocs|pre-commit|\.|\S*pip install) ", command), (
            command
        )
        for module in named:
            # What an extra asks for need not be installed.
            extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
            wanted = {re.split(r"[\[<>=]", one)[0] for extra in extras.values() for one in extra}
            assert module in wanted or importlib.util.find_spec(module), module
        for file in re.findall(r"-c (\S+)", command):
            assert (ROOT / file).is_file(), file


def test_every_command_and_flag_that_is_given_exists(helps):
    given = [re.search(r"(?:-m experiments\.|^memorize )(\w+)(.*)", line) for line in COMMANDS]
    given = [found.groups() for found in given if found]
    assert len(given) > 20
    for name, flags in given:
        assert name in commands(), name
        for flag in re.findall(r"--(\w+)", flags):
            assert re.search(rf"^  --(?:\[no\])?{flag}:", helps[name], flags=re.MULTILINE), (name, flag)


def test_presets_are_all_named_and_exist():
    (sentence,) = re.findall(r"Presets: (.*?\))\.\n|Presets: (.*?)\.\n\n", GUIDES["training"], flags=re.DOTALL)
    assert set(re.findall(r"`(\w+)`", "".join(sentence))) == set(PRESETS)
    for preset in re.findall(r"--preset=(\w+)", "".join(TEXTS.values())):
        assert preset in PRESETS


def test_every_file_and_link_exists(smoke_run):
    mentioned = re.findall(r"`([\w./~-]+)`", "".join(PROSE.values()))
    paths = [span for span in mentioned if "/" in span or pathlib.Path(span).suffix in FILE_ENDINGS]
    assert "metrics.csv" in paths
    code = "".join(file.read_text() for file in (ROOT / "memorize_jax").rglob("*.py"))
    for path in paths:
        # A file of the repository, one that every run makes, or a table that only some make.
        made = smoke_run / re.sub(r"^runs/\w+/", "", path)
        named = pathlib.Path(path).stem in tables() or f'"{pathlib.Path(path).name}"' in code
        of_site = path.startswith(f"{SITE_DIR}/")
        assert (ROOT / path).exists() or made.exists() or named or of_site, path
    for file, text in PROSE.items():
        links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
        assert links, file
        for link in links:
            assert (file.parent / link).exists(), (file, link)


def test_every_function_mentioned_exists():
    named = re.findall(r"`((?:geometry|data|models|measurements)\.[\w.]+)", "".join(PROSE.values()))
    assert named
    for name in named:
        module, function = name.rpartition(".")[::2]
        assert callable(getattr(importlib.import_module(f"memorize_jax.{module}"), function)), name
    assert callable(operator.attrgetter("analyze")(memorize_jax))


def test_the_readme_is_one_screen():
    assert len(TEXT.splitlines()) <= 80


def test_what_is_to_be_cited_has_the_version_of_the_changelog_and_of_the_package():
    (entry,) = blocks((ROOT / "docs" / "citing.md").read_text(encoding="utf-8"), "bibtex")
    (cited,) = re.findall(r"^  version = \{(.+)\},$", entry, flags=re.MULTILINE)
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(cff["version"]) == cited
    assert cff["title"].split(": ")[1] in entry
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    # The newest release; before the first one, what that will be.
    released = re.findall(r"^## \[(.+)\] - \d{4}-\d\d-\d\d$", changes, flags=re.MULTILINE)
    assert cited == (released or re.findall(r"^This will be (.+), the first release", changes, flags=re.MULTILINE))[0]
    installed = Version(importlib.metadata.version("memorize_jax"))
    assert installed.is_devrelease or installed == Version(cited)
    assert Version(installed.base_version) >= Version(cited)


# Those that need a model, a file or a loop of the reader's, and the one that needs the first run.
NETWORK = blocks(GUIDES["your-network"], "python")
OWN = [block for block in NETWORK if "memorize_jax." in block]


def test_the_example_code_runs(tmp_path, smoke_run, monkeypatch, capsys):
    assert blocks(TEXT, "python")[0] in OWN
    for block in NETWORK:
        if block not in OWN:
            exec(compile(block, "your-network.md", "exec"), {})
    assert "capacity" in capsys.readouterr().out
    shutil.copytree(smoke_run, tmp_path / "runs" / "digits")
    monkeypatch.chdir(tmp_path)
    (block,) = blocks(GUIDES["first-report"], "python")
    exec(compile(block, "first-report.md", "exec"), {})
    said = capsys.readouterr().out
    assert "test_accuracy" in said
    assert "joint_capacity" in said or "..." in said
    assert (tmp_path / "accuracies.svg").stat().st_size > 0
    assert (tmp_path / "where_and_when.html").stat().st_size > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_three_journeys_of_a_newcomer(tmp_path, monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    rng, labels = np.random.default_rng(0), np.arange(60) % 3
    images = (labels[:, None] + rng.normal(size=(60, 8))).astype(np.float32)
    scipy.io.savemat(
        "recording.mat", {"V1": np.where(rng.random((60, 8)) < 0.002, np.nan, images), "labels": labels[None] * 1.0}
    )
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def train_step(model, optimizer, batch):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(
            model(torch.from_numpy(images[batch])), torch.from_numpy(given[batch])
        ).backward()
        optimizer.step()

    given = np.where(np.arange(60) < 30, np.roll(labels, 1), labels)
    data = torch.utils.data.TensorDataset(torch.from_numpy(images), torch.from_numpy(labels))
    names = {
        **{"model": model, "loader": torch.utils.data.DataLoader(data, batch_size=20), "optimizer": optimizer},
        **{"images": images, "labels": given, "true_labels": labels, "test_images": images[:30]},
        **{"test_labels": labels[:30], "batches": lambda: [slice(0, 60)], "train_step": train_step},
    }
    assert len(OWN) == 3
    for block in OWN:
        # The first two bring labels of their own.
        own = names if block == OWN[-1] else dict(names)
        exec(
            compile(block.replace("range(1, 101)", "range(1, 11)"), "your-network.md", "exec"),
            {**own, "memorize_jax": memorize_jax},
        )
    said = capsys.readouterr().out
    assert "capacity" in said
    assert (tmp_path / "runs/mine/report.html").is_file()
    assert sorted(pd.read_csv(tmp_path / "runs/mine/results/geometry.csv")["epoch"].unique())[-1] == 10


def test_the_wheel_holds_the_library_alone_and_all_of_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["scripts"] == {"memorize": "memorize_jax.commands:main"}
    tool = project["tool"]["setuptools"]
    (pattern,) = tool["packages"]["find"]["include"]
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    # A package called `experiments` would collide with everybody's own.
    assert "experiments" in found
    assert [name for name in found if fnmatch.fnmatch(name, pattern)] == ["memorize_jax"]
    library = ROOT / "memorize_jax"
    assert all((path.parent / "__init__.py").is_file() for path in library.rglob("*.py"))
    data = [str(path.relative_to(library)) for path in library.rglob("*") if path.is_file()]
    # What Python and numba have compiled belongs to this machine.
    data = [path for path in data if not path.endswith(".py") and "__pycache__" not in path]
    assert "py.typed" in data
    assert any(path.endswith(".j2") for path in data)
    for path in data:
        assert any(fnmatch.fnmatch(path, pattern) for pattern in tool["package-data"]["memorize_jax"]), path
