"""Metrics for MLflow, in the run's folder unless MLFLOW_TRACKING_URI says otherwise; sole owner of mlflow."""

import contextlib
import importlib.util
import logging
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

from memorize_jax.storage.curves import About, ended, points
from memorize_jax.storage.files import remove_left_behind, replacing

EXPERIMENT = "memorize_jax"
# The tag by which a run is found again: MLflow gives ids of its own.
KEY = "memorize_jax.id"
# A request takes at most this many values.
MOST_VALUES = 1000
# Unless the environment says otherwise: nothing is sent to MLflow's makers, and training does not wait for minutes for
# a server that is gone.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


def check_installed() -> None:
    """Raises ValueError, saying how to install it, unless mlflow is there, and what its local store needs."""
    needed = ["mlflow"] if os.environ.get("MLFLOW_TRACKING_URI") else ["mlflow", "sqlalchemy", "alembic"]
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise ValueError(f"--mlflow needs {missing[0]}: pip install 'memorize_jax[mlflow]'")


def place(folder: pathlib.Path) -> str:
    """Where the run is logged, as text; "" if the run's own store is not there."""
    if not (uri := os.environ.get("MLFLOW_TRACKING_URI", "")) and not _store(folder).is_file():
        return ""
    return " ".join([uri or "here", *(os.environ.get(f"MLFLOW_EXPERIMENT_{name}", "") for name in ("ID", "NAME"))])


def hint(folder: pathlib.Path, about: About) -> str:
    """How to look at the run's own store."""
    own = f"MLflow: look with: mlflow ui --backend-store-uri {_address(folder)} (or MLFLOW_TRACKING_URI names a store)"
    return own * (not os.environ.get("MLFLOW_TRACKING_URI"))


def _store(folder):
    return folder / "mlflow.db"


def _address(folder):
    return f"sqlite:///{_store(folder).as_posix()}"


def _make_store(folder):
    """Makes the run's own store if there is none; whole, for MLflow opens none that it was killed in making."""
    from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]

    if _store(folder).is_file():
        return
    folder.mkdir(exist_ok=True)
    remove_left_behind(folder)
    with replacing(_store(folder)) as beside:
        MlflowClient(tracking_uri=f"sqlite:///{beside.as_posix()}").search_experiments()


@contextlib.contextmanager
def opened(folder: pathlib.Path, rows: Sequence[dict], about: About) -> Iterator[Callable[..., None]]:
    """Opens the run of MLflow with the id of `about`, or goes on with it; the step of an epoch is its number.

    Of `rows`, those of metrics.csv so far, the values are logged that MLflow lacks. The settings of a new run are its
    parameters, which MLflow never changes; one that is changed later, like `epochs`, is a tag. Yields a function that
    takes the rows of further epochs.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient  # pyright: ignore[reportMissingImports] (an option)
    from mlflow.entities import Metric, Param  # pyright: ignore[reportMissingImports]

    for noisy in ("mlflow.store.db.utils", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    try:
        if not uri:
            _make_store(folder)
        client = MlflowClient(tracking_uri=uri or _address(folder))
        experiment = _experiment(client)
    except Exception as error:
        if uri:
            raise
        reason = next(iter(str(error).splitlines()), "")
        raise ValueError(f"{_store(folder)} cannot be opened ({reason}); it is made anew if you remove it") from error
    asked = {name: str(value) for name, value in about.config.items()}
    found = client.search_runs([experiment], filter_string=f"tags.`{KEY}` = '{about.id}'", max_results=1)
    if found:
        held = found[0].data.params
        client.update_run(found[0].info.run_id, status="RUNNING")
    else:
        held, tags = {}, {**about.notes, **({"group": about.group} if about.group else {}), KEY: about.id}
        found = [client.create_run(experiment, tags=tags, run_name=about.name)]
    run = found[0].info.run_id
    client.log_batch(run, params=[Param(name, value) for name, value in asked.items() if name not in held])
    for name in asked:
        if name in held and asked[name] != found[0].data.tags.get(name, held[name]):
            client.set_tag(run, name, asked[name])

    def add(*rows):
        values = [
            Metric(curve, value, int(1000 * moment), int(row["epoch"]))
            for row, moment in zip(rows, ended(rows), strict=True)
            for curve, value in points(row).items()
            if (curve, row["epoch"]) not in there
        ]
        for at in range(0, len(values), MOST_VALUES):
            client.log_batch(run, metrics=values[at : at + MOST_VALUES])

    is_done = False
    try:
        # More than `rows`, perhaps: what training does again after it was killed.
        there = {(name, value.step) for name in found[0].data.metrics for value in client.get_metric_history(run, name)}
        add(*rows)
        yield add
        is_done = True
    finally:
        client.set_terminated(run, "FINISHED" if is_done else "KILLED")


def _experiment(client):
    """The id of the experiment that the environment names, or of ours, which is made if needed."""
    from mlflow.exceptions import MlflowException  # pyright: ignore[reportMissingImports]

    if own := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return own
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
    try:
        return client.create_experiment(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return client.get_experiment_by_name(name).experiment_id
