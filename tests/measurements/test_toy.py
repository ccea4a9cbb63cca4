"""A measurement is one room and one line: the room of docs/add-a-measurement.md appears everywhere by itself."""

import json
import re
import shutil
import sys

import pytest

from benchmarks import measurements_page
from memorize_jax import commands
from memorize_jax.claims.sheet import evaluate
from memorize_jax.figures.figure import missing
from memorize_jax.measurements import registry
from memorize_jax.measurements.driver import is_measured, measure
from memorize_jax.presets import PRESETS
from memorize_jax.report import catalog
from memorize_jax.report.drawn import parts
from memorize_jax.report.index import index
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.notes import read_notes
from memorize_jax.runs.run import Run
from tests import commands as terminal

ROOM = "weights_room"
DOCUMENT = terminal.ROOT / "docs" / "add-a-measurement.md"
CODE, LINE, *_ = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
# The one line, and then a command.
DOOR = f"""
from memorize_jax import commands
from memorize_jax.measurements import registry

registry.ROOMS = (*registry.ROOMS, "{ROOM}")
commands.main()
"""


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    folder = tmp_path_factory.mktemp("room")
    (folder / f"{ROOM}.py").write_text(CODE)
    (folder / "door.py").write_text(DOOR)
    return folder


@pytest.fixture
def registered(room, monkeypatch):
    """The measurement; registered, and nothing else was done."""
    monkeypatch.syspath_prepend(room)
    monkeypatch.setattr(registry, "ROOMS", (*registry.ROOMS, ROOM))
    yield registry.measurements()["weights"]
    sys.modules.pop(ROOM, None)


@pytest.fixture
def copied(tiny_runs, tmp_path):
    return shutil.copytree(tiny_runs["trained"], tmp_path / "run")


def test_the_page_is_short_and_so_is_the_room():
    assert len(CODE.splitlines()) <= 60
    assert len(DOCUMENT.read_text(encoding="utf-8").splitlines()) <= 120
    assert f'"{ROOM}",' in LINE


def test_it_appears_wherever_measurements_are_listed(registered):
    assert "weights" in commands.commands()
    assert registered.summary in commands.listing()
    assert PRESETS["smoke"].plan()["settings"]["weights"] == {
        "weights_epochs": "log,best,final",
        "weights_norm": "euclidean",
    }
    assert [figure.name for figure in catalog.select("weights")] == ["weights"]
    assert "weights_grow" in {statement.name for statement in registry.statements()}
    page = index()
    assert "## weights\n\nSize of the weights by layer and epoch.\n\n    memorize weights --workdir=runs/mine\n" in page
    assert "| `weights_norm` | `euclidean` | How size is measured. One of euclidean, largest. |" in page
    assert (
        "`results/weights.csv`: seed, epoch, layer, size.\n\n| column | meaning |\n| --- | --- |\n| `size` | norm"
        in page
    )
    assert "- `weights`: Size of the weights" in page
    assert "| `weights_grow` | ours | Weights grow while a network memorizes. |" in page


def test_it_resumes_is_noted_and_is_drawn_judged_and_reported(registered, copied, monkeypatch):
    settings, folder, seen = [registered.settings()], RunFolder(copied), []
    network = Run.network

    def killed(run, epoch):
        seen.append(epoch)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return network(run, epoch)

    monkeypatch.setattr(Run, "network", killed)
    study = registry.open_study(copied)
    assert missing(registry.figures()["weights"], study) == (
        f"no table weights; make it with: memorize weights --workdir={copied}"
    )
    with pytest.raises(KeyboardInterrupt):
        measure(registered, copied, settings)
    measure(registered, copied, settings)
    # Networks of rows that are taken are read once more, to see that they are sound.
    assert seen == [0, 1, 2, 0, 1, 2, 3]
    assert is_measured(registered, folder, settings)
    assert read_notes(folder)["weights"]["settings"]["weights_norm"] == "euclidean"

    study = registry.open_study(copied)
    assert study.tables["weights"]["epoch"].unique().tolist() == [0, 1, 2, 3]
    (claim,) = evaluate(study, registered.statements)
    assert (claim.claim, claim.verdict) == ("weights_grow", "holds (one seed)")
    shown = next(part for part in parts(study)[0] if part.title == "Size of the weights")
    assert [figure.name for figure in shown.figures] == ["weights"]


def test_labels_of_another_run_are_refused(registered, copied, tiny_runs):
    shutil.copy(RunFolder(tiny_runs["unpermuted"]).labels, RunFolder(copied).labels)
    with pytest.raises(ValueError, match=r"labels.npz belongs to another run: its identity is \w+, not"):
        measure(registered, copied, [registered.settings()])


def test_the_command_line_knows_it(room, copied):
    own = f"--workdir={copied}", "--trust_code"
    jobs = [
        [],
        ["weights", "--help"],
        ["reproduce", "--preset=smoke", "--dry_run", f"--workdir={copied.parent / 'none'}"],
        ["weights", *own, "--weights_norm=largest"],
        ["weights", *own, "--weights_norm=small"],
    ]
    paths = f"{room}:{terminal.ROOT}"
    ran = terminal.python("-m", "tests.forked", stdin=json.dumps([["door", *job] for job in jobs]), PYTHONPATH=paths)
    (_, _, listed), (_, _, shown), (_, _, planned), (code, error, said), bad = json.loads(ran.stdout)
    assert re.search(r"^  memorize weights +Size of the weights by layer and epoch$", listed, re.MULTILINE)
    shown = " ".join(shown.split())
    assert "Measures how large the weights of every layer are, epoch by epoch." in shown
    assert (
        "--weights_norm: How size is measured. One of euclidean, largest. Default: the preset's, else euclidean."
        in shown
    )
    assert re.search(r"^  weights +nothing yet: runs", planned, re.MULTILINE)
    assert code == 0, error
    assert "weights_norm=largest" in said
    assert f"drawn in {RunFolder(copied).figures}: weights.svg" in said
    note = read_notes(RunFolder(copied))["weights"]
    assert note["command"] == f"memorize weights {' '.join(own)} --weights_norm=largest"
    assert bad[0] == 1
    assert bad[1].splitlines()[-1] == "error: expected weights_norm to be one of euclidean, largest, got 'small'"


def test_the_committed_page_is_what_the_registry_gives():
    assert measurements_page.PAGE.read_text(encoding="utf-8") == measurements_page.page()
