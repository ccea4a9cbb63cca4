import pytest

from memorize_jax.runs.run import Run, open_run

pytest.importorskip("torch")

from benchmarks.recomputed.measures import all_rows, as_table
from tests.experiments.made_up import made_up_run


def test_rows_of_a_run_come_out_again_and_a_changed_one_does_not(smoke_run, monkeypatch):
    found = as_table(list(all_rows(open_run(smoke_run), 2, num_draws=30)))
    assert set(found["table"]) == {"metrics", "rewinding", "decoding", "gradients", "geometry"}
    assert found["agrees"].all(), found[~found["agrees"]].to_string()
    table = open_run(smoke_run).table("geometry")
    table["joint_capacity"] *= 2
    read = Run.table
    monkeypatch.setattr(Run, "table", lambda run, name: table if name == "geometry" else read(run, name))
    changed = as_table(list(all_rows(open_run(smoke_run), 2, num_draws=30)))
    assert set(changed[~changed["agrees"]]["quantity"]) == {"joint_capacity"}


def test_a_network_that_is_not_written_again_is_refused(tmp_path):
    run = open_run(made_up_run(tmp_path / "run", model="resnet18", dataset="fashion_mnist_14"))
    with pytest.raises(ValueError, match="expected a run of mlp, alexnet, vgg16, got resnet18"):
        list(all_rows(run, 1))
