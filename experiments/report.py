"""Draws the figures of a run and writes report.html, one self-contained page.

python -m experiments.report --workdir=runs/mine
"""

import base64
import pathlib

import jinja2
import pandas as pd

from experiments import cli
from experiments.members import for_each
from memorize_jax import figures, models
from memorize_jax.analysis import at_stages, best_epoch, final_epoch, over_seeds
from memorize_jax.analysis.effects import ratio_range, rewinding_effect
from memorize_jax.atomic import replacing
from memorize_jax.results import DECODING, DECODING_CHOICE, GEOMETRY, GRADIENTS, METRICS, REWINDING, read_table
from memorize_jax.runs import Run, check_writable, member_folders, read_config, read_provenance
from memorize_jax.study import read_study

TEMPLATES = pathlib.Path(__file__).parent / "templates"

# Ketha and Ramaswamy (2025), test accuracy in %: network at the end, best layer by assigned and by true labels.
PUBLISHED_DEGREES = (20, 40, 60, 80)
PUBLISHED = {
    "MLP, MNIST": ((87.4, 96.9, 97.0), (73.3, 96.5, 96.7), (54.2, 94.8, 96.3), (32.1, 83.4, 95.8)),
    "MLP, CIFAR-10": ((48.6, 53.4, 54.0), (40.4, 50.2, 52.6), (30.6, 44.9, 51.0), (19.7, 32.4, 48.4)),
    "CNN, Fashion-MNIST": ((77.7, 83.6, 84.3), (61.4, 81.9, 81.7), (43.3, 80.0, 81.7), (25.6, 73.9, 79.9)),
    "CNN, CIFAR-10": ((60.5, 61.9, 62.5), (46.2, 49.0, 52.4), (31.0, 39.3, 49.0), (18.3, 29.3, 43.7)),
}


def _drawn(folder: Run, name: str) -> str:
    figure = figures.FIGURES[name]
    path = figure.draw(read_study(folder.workdir), folder.figures / f"{name}.svg")
    return "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()


def _headline(metrics: pd.DataFrame, best: int, final: int) -> list[dict]:
    at_best = metrics[metrics["epoch"] == best].iloc[0]
    at_final = metrics[metrics["epoch"] == final].iloc[0]
    names = {
        "train": "training, assigned labels",
        "test": "test",
        "unpermuted": "unpermuted",
        "permuted": "permuted, assigned labels",
        "restored": "restored (permuted, true labels)",
    }
    return [
        {
            "group": text,
            "best": at_best[f"{key}_accuracy"],
            "peak": metrics[f"{key}_accuracy"].max(),
            "final": at_final[f"{key}_accuracy"],
        }
        for key, text in names.items()
    ]


def _rewinding(folder, config, metrics):
    """What the page says about rewinding; None if it was not done, or not into the final network."""
    path = folder.results / "rewinding.csv"
    if not path.is_file():
        return None
    table = read_table(path, REWINDING, f"python -m experiments.rewinding --workdir={folder.workdir}")
    table = table[table["into"] == "final"]
    if table.empty:
        return None
    output = models.layer_names(config.model)[-1]
    return {
        "figure": _drawn(folder, "fig4b"),
        "effects": {group: rewinding_effect(table, metrics, group, output) for group in ("test", "restored")},
        "bn": table["bn"].iloc[0],
    }


def _gradients(folder):
    """What the page says about gradients; None if they were not measured."""
    path = folder.results / "gradients.csv"
    if not path.is_file():
        return None
    table = read_table(path, GRADIENTS, f"python -m experiments.gradients --workdir={folder.workdir}")
    table = table[table["form"] == "eq15"]
    first, last = int(table["epoch"].min()), int(table["epoch"].max())
    dep, ind = "dep", "ind"
    return {
        "figures": (_drawn(folder, "fig5f"), _drawn(folder, "figa1")),
        "first": ratio_range(table, first, ("unpermuted", dep), ("permuted", dep)),
        "last": ratio_range(table, last, ("unpermuted", dep), ("permuted", dep)),
        "unpermuted": ratio_range(table, first, ("unpermuted", dep), ("unpermuted", ind)),
        "permuted": ratio_range(table, first, ("permuted", dep), ("permuted", ind)),
        "bn": table["bn"].iloc[0],
    }


def _decoding(folder: Run, metrics: pd.DataFrame, best: int, final: int) -> dict | None:
    """What the report says of the probes; None if they were not run, or not at the final epoch."""
    if not (folder.results / "decoding.csv").is_file():
        return None
    made_by = f"python -m experiments.decoding --workdir={folder.workdir}"
    table = read_table(folder.results / "decoding.csv", DECODING, made_by)
    choice = read_table(folder.results / "decoding_choice.csv", DECODING_CHOICE, made_by)
    thorough = set(choice["epoch"])
    if final not in thorough:
        return None
    at_final = table[table["epoch"] == final]
    of_input = at_final[at_final["layer"] == "input"].set_index(["method", "labels"])["test_accuracy"]
    untrained = choice[choice["epoch"] == 0].set_index(["method", "labels"])["oracle_test_accuracy"]
    rows = choice[choice["epoch"] == final].to_dict("records")
    for row in rows:
        key = (row["method"], row["labels"])
        row |= {"input": of_input.get(key), "untrained": untrained.get(key)}
    accuracy = metrics.set_index("epoch")["test_accuracy"]
    masc = next(row for row in rows if (row["method"], row["labels"]) == ("masc", "assigned"))
    return {
        "rows": rows,
        "final": accuracy[final],
        "best": accuracy[best],
        "gain": masc["oracle_test_accuracy"] - accuracy[final],
        "edited": at_final[at_final["method"] == "edited_network"].set_index("labels")["test_accuracy"].to_dict(),
        "by_layer": _drawn(folder, "decoding_layers"),
        "by_epoch": _drawn(folder, "decoding_epochs"),
        "published": PUBLISHED,
        "published_degrees": PUBLISHED_DEGREES,
    }


def run(workdir: str | pathlib.Path) -> pathlib.Path:
    """Writes figures/ and report.html of a run.

    Args:
      workdir: folder of the run, with metrics.csv and results/geometry.csv; results/decoding.csv if it was made.

    Returns:
      Path of the report.
    """
    folder = Run(workdir)
    check_writable(folder.workdir)
    config = read_config(folder)
    metrics = read_table(folder.metrics, METRICS, f"python -m experiments.train --workdir={workdir}")
    geometry = read_table(
        folder.results / "geometry.csv", GEOMETRY, f"python -m experiments.geometry --workdir={workdir}"
    )
    best, final = best_epoch(metrics), final_epoch(metrics)
    measured = set(geometry["epoch"])
    epochs = {title: epoch for title, epoch in (("best epoch", best), ("final epoch", final)) if epoch in measured}
    epochs = epochs or {"epoch": max(measured)}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["percent"] = lambda value: "–" if pd.isna(value) else f"{100 * value:.1f} %"
    shown = geometry[geometry["epoch"].isin(epochs.values())].sort_values(["epoch", "group", "layer_number"])
    page = environment.get_template("report.html.j2").render(
        config=config,
        best=best,
        final=final,
        headline=_headline(metrics, best, final),
        seconds=metrics["seconds"].sum(),
        training_figure=_drawn(folder, "fig2a"),
        geometry_figure=_drawn(folder, "fig3b"),
        rewinding=_rewinding(folder, config, metrics),
        gradients=_gradients(folder),
        geometry=shown.to_dict("records"),
        flagged=int((shown["status"] != 0).sum()),
        examples_per_class=int(geometry["examples_per_class"].min()),
        floor=2 / geometry["examples_per_class"].min(),
        decoding=_decoding(folder, metrics, best, final),
        provenance=read_provenance(folder),
        fields=[(name, getattr(config, name)) for name in config.__dataclass_fields__],
        workdir=str(workdir),
    )
    with replacing(folder.report) as beside:
        beside.write_text(page, encoding="utf-8")
    return folder.report


def summarize(workdir: str | pathlib.Path, members: list[pathlib.Path]) -> pathlib.Path:
    """Writes results/over_seeds.csv and figures/fig3b.svg of an ensemble.

    Args:
      workdir: folder of the ensemble.
      members: its runs.

    Returns:
      Path of the figure.
    """
    folder = Run(workdir)
    metrics = {
        read_config(Run(member)).seed: read_table(
            Run(member).metrics, METRICS, f"python -m experiments.train --workdir={member}"
        )
        for member in members
    }
    table = folder.results / "geometry.csv"
    geometry = read_table(table, GEOMETRY, f"python -m experiments.geometry --workdir={workdir}")
    measures = [name for name, _ in figures.MEASURES]
    by = ["stage", "group", "layer", "layer_number"]
    summary = over_seeds(at_stages(geometry, metrics), by, measures)
    with replacing(folder.results / "over_seeds.csv") as beside:
        summary.to_csv(beside, index=False)
    figure = figures.FIGURES["fig3b"]
    return figure.draw(read_study(workdir), folder.figures / "fig3b.svg")


def main() -> None:
    """Reads the flags and writes the report."""
    workdir = cli.required_workdir()
    members = member_folders(workdir)
    for_each(workdir, lambda folder: print(f"report: {run(folder)}"))
    if members:
        print(f"over seeds: {summarize(workdir, members)}")


if __name__ == "__main__":
    cli.start(main, cli.define_workdir)
