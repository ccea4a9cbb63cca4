import re
import shutil

import numpy as np
import pytest

from memorize_jax.commands import report
from memorize_jax.geometry.status import CHECKPOINT_DAMAGED
from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.registry import get_measurement
from memorize_jax.presets import PRESETS
from memorize_jax.runs.folder import RunFolder
from memorize_jax.storage import tables as results


@pytest.mark.slow
def test_a_damaged_epoch_fails_clearly_or_is_recorded_in_the_table(tmp_path, smoke_run, capsys):
    workdir = shutil.copytree(smoke_run, tmp_path / "run")
    path = RunFolder(workdir).checkpoints / "epochs" / "0" / "params.linear2.bias" / "0"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    geometry = get_measurement("geometry")
    settings = PRESETS["smoke"].replace("geometry", geometry_epochs="0,final").of_all(geometry)
    before = (RunFolder(workdir).results / "geometry.csv").read_bytes()
    message = r"epoch 0 is damaged: leaf params\.linear2\.bias, file 0 has changed.*--skip_damaged measures without it"
    with pytest.raises(ValueError, match=message):
        measure(geometry, workdir, settings)
    assert (RunFolder(workdir).results / "geometry.csv").read_bytes() == before
    measure(geometry, workdir, settings, skip_damaged=True)
    assert "epoch 0 is damaged" in capsys.readouterr().err
    found, calm = (
        results.read_table(RunFolder(folder).results / "geometry.csv", results.GEOMETRY, "")
        for folder in (workdir, smoke_run)
    )
    skipped = found[found["epoch"] == 0]
    assert len(found) == len(calm)
    assert (skipped["status"] == CHECKPOINT_DAMAGED).all()
    assert (skipped["num_valid_classes"] == 0).all()
    assert skipped["capacity"].isna().all()
    columns = ["capacity", "radius", "dimension"]
    np.testing.assert_array_equal(*(table.loc[table["epoch"] == 4, columns] for table in (found, calm)))
    carried = r'"data:[^"]*"|<script type="text/plain".*?</script>'
    page = re.sub(carried, "", report.run(workdir)[0].read_text(encoding="utf-8"))
    assert not re.search(r"\bnan\b", page)
