"""The command of a measurement: measures a run, or every seed of a study, draws, and says where the results are."""

from memorize_jax.commands import cli
from memorize_jax.invocation import command_line_of
from memorize_jax.measurements.driver import measure
from memorize_jax.measurements.measurement import Measurement
from memorize_jax.measurements.registry import open_study
from memorize_jax.report.catalog import draw
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.seeds import for_each


def main(measurement: Measurement) -> None:
    """Does what the flags say."""
    workdir = cli.required_workdir()
    settings, options = [], {}
    if measurement.parts:
        settings = cli.chosen(workdir, measurement.parts).of_all(measurement)
        options = {"skip_damaged": cli.FLAGS.skip_damaged}
    tables = tuple(f"{table}.csv" for table in measurement.tables)
    for_each(workdir, lambda folder: measure(measurement, folder, settings, **options), tables)
    folder, names = RunFolder(workdir), [figure.name for figure in measurement.figures]
    drawn = ", ".join(path.name for path in draw(open_study(workdir), names))
    then = f"drawn in {folder.figures}: {drawn}" if drawn else f"next: {command_line_of('report', workdir)}"
    print(f"measured: {folder.results / tables[0]}; {then}")
