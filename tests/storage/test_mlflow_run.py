import contextlib
import importlib.util
import math
import shutil

import pytest

from memorize_jax.storage import mlflow_run
from memorize_jax.storage.curves import About, points
from memorize_jax.storage.tables import METRICS

ABOUT = About("a1b2", "ten/seed_3", "ten", {"epochs": 4, "width": None, "learning_rate": 1e-4}, {"preset": "smoke"})


def rows(number):
    values = dict.fromkeys(METRICS, 0.25) | {"seconds": 2.0, "permuted_accuracy": math.nan}
    return [values | {"epoch": epoch, "loss": 2.0 - epoch} for epoch in range(number)]


def expected(number):
    return {curve: [(row["epoch"], points(row)[curve]) for row in rows(number)] for curve in points(rows(1)[0])}


@pytest.fixture
def clean(monkeypatch):
    for name in ("TRACKING_URI", "EXPERIMENT_ID", "EXPERIMENT_NAME"):
        monkeypatch.delenv(f"MLFLOW_{name}", raising=False)


def test_without_the_packages_one_sentence_says_so(clean, monkeypatch):
    found = {"mlflow"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in found or None)
    with pytest.raises(ValueError, match=r"--mlflow needs sqlalchemy: pip install 'memorize_jax\[mlflow\]'"):
        mlflow_run.check_installed()
    # A server needs neither of both.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:1")
    mlflow_run.check_installed()
    found.clear()
    with pytest.raises(ValueError, match=r"--mlflow needs mlflow: pip install 'memorize_jax\[mlflow\]'"):
        mlflow_run.check_installed()


def test_where_it_is_logged_follows_the_environment(clean, monkeypatch, tmp_path):
    assert mlflow_run.place(tmp_path) == ""
    (tmp_path / "mlflow.db").touch()
    assert mlflow_run.place(tmp_path) == "here  "
    assert f"--backend-store-uri sqlite:///{tmp_path}/mlflow.db" in mlflow_run.hint(tmp_path, ABOUT)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    assert mlflow_run.place(tmp_path) == "http://server  mine"
    assert mlflow_run.hint(tmp_path, ABOUT) == ""


# Its first import and the tables of a new store take five seconds.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_run_is_one_run_of_mlflow_wherever_its_folder_is(clean, monkeypatch, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("alembic")
    monkeypatch.chdir(tmp_path)
    here = tmp_path / "run" / "mlflow"
    here.mkdir(parents=True)
    (here / ".mlflow.0123456789abcdef.tmp.db").touch()  # killed while it made the store
    with mlflow_run.opened(here, [], ABOUT) as add:
        add(rows(1)[0])
        add(*rows(4)[1:])
    shutil.move(tmp_path / "run", tmp_path / "moved")
    here = tmp_path / "moved" / "mlflow"
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{here}/mlflow.db")
    longer = ABOUT._replace(config={**ABOUT.config, "epochs": 9})
    # Killed before metrics.csv had the last epoch, and after: what is missing is added, nothing is there twice.
    for before, after in ((3, 5), (7, 8)):
        with contextlib.suppress(KeyError), mlflow_run.opened(here, rows(before), longer) as add:
            add(*rows(after)[before:])
            raise KeyError("killed")
    (experiment,) = [one for one in client.search_experiments() if one.name == "memorize_jax"]
    (run,) = client.search_runs([experiment.experiment_id])
    history = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    found = {name: sorted((value.step, value.value) for value in values) for name, values in history.items()}
    assert found == expected(8)
    assert run.info.run_name == "ten/seed_3"
    assert run.info.status == "KILLED"
    assert run.data.params == {"epochs": "4", "width": "None", "learning_rate": "0.0001"}
    tags = {"group": "ten", "preset": "smoke", "memorize_jax.id": "a1b2", "epochs": "9"}
    assert {name: run.data.tags[name] for name in tags} == tags
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["mlflow.db"]
    with mlflow_run.opened(here, rows(8), longer):
        assert client.get_run(run.info.run_id).info.status == "RUNNING"
    assert client.get_run(run.info.run_id).info.status == "FINISHED"
    # Another run in the same store.
    with mlflow_run.opened(here, rows(2), ABOUT._replace(id="c3d4", group=None)):
        assert len(client.search_runs([experiment.experiment_id])) == 2
    (here / "mlflow.db").write_bytes(b"damaged" * 1000)
    damaged = pytest.raises(ValueError, match=r"mlflow\.db cannot be opened \(.*\); it is made anew if you remove it")
    with damaged, mlflow_run.opened(here, [], ABOUT):
        pass
