"""At which scale a committed study was run, and what it cost."""

import collections
import dataclasses
from collections.abc import Sequence

from benchmarks import tables
from benchmarks.comparison import NONE, Judged
from benchmarks.trimmed import EXAMPLES
from memorize_jax.config import RunConfig
from memorize_jax.recipe.optimizers import ADAMS_MOMENTUM
from memorize_jax.runs.folder import RunFolder, runs_in
from memorize_jax.runs.noted import read_config, read_noted
from memorize_jax.runs.notes import read_notes
from memorize_jax.storage.files import read_json
from memorize_jax.studies.study import Study


def overview(studies: Sequence[Judged]) -> str:
    """What was trained on what, and what it cost, a row for each study, as Markdown."""
    rows = []
    for name, study, _ in studies:
        runs = runs_in(study.workdir)
        data = _joined(
            f"{read_config(run).dataset}, {read_json(run.workdir / EXAMPLES)[0]['training']:,}" for run in runs
        )
        # The epochs of one of the networks are committed.
        hours = NONE if study.axes == ("width",) else f"{sum(_seconds(study).values()) / 3600:.1f}"
        network = _networks(study, [read_config(run) for run in runs])
        rows.append((f"[{name}](#{name})", network, data, len(study.seeds), hours))
    return tables.of_rows(("study", "network", "data, training examples", "seeds", "hours on two shared cores"), rows)


def scale(study: Study) -> str:
    """How a study was trained and what its steps took, as Markdown."""
    runs = runs_in(study.workdir)
    configs = [read_config(run) for run in runs]
    notes = [note for run in runs for note in read_noted(run).provenance]
    counts = [read_json(run.workdir / EXAMPLES)[0] for run in runs]
    steps = _seconds(study)
    noted = list(zip(configs, counts, strict=True))
    ends = lambda own: f"at {100 * own.stop_accuracy:g} % training accuracy or epoch {own.epochs:,}"
    rows = [
        ("network", _networks(study, configs)),
        ("data", _joined(f"{own.dataset}, {count['training']:,} training examples" for own, count in noted)),
        ("labels permuted", _joined(f"{number:,}" for number in sorted(count["permuted"] for count in counts))),
        ("training", _joined(map(_recipe, configs))),
        ("ends", _joined(map(ends, configs))),
        ("seeds", ", ".join(map(str, study.seeds))),
        ("device", _joined(note["device"] for note in notes)),
        ("commit", _joined(note["commit"][:9] for note in notes)),
        ("seconds", ", ".join(f"{step} {seconds:,.0f}" for step, seconds in steps.items())),
    ]
    if study.axes == ("width",):
        # The epochs of one network are committed.
        rows = rows[:-1]
    return tables.of_rows(("what", "value"), rows)


def _seconds(study: Study) -> collections.Counter:
    """Seconds of every step, of all runs together."""
    steps = collections.Counter()
    if "metrics" in study.tables:
        steps["train"] = float(study.tables["metrics"]["seconds"].sum())
    for run in {own.workdir: own for own in (*runs_in(study.workdir), RunFolder(study.workdir))}.values():
        steps.update({step: noted["seconds"] for step, noted in read_notes(run).items()})
    return steps


def _networks(study: Study, configs: Sequence[RunConfig]) -> str:
    if study.axes == ("width",):
        widths = ", ".join(map(str, sorted(study.tables["double_descent"]["width"].unique())))
        return f"{study.model}, widths {widths}"
    return _joined(f"{own.model}, width {own.width or 'as published'}" for own in configs)


def _recipe(config: RunConfig) -> str:
    """How a network is trained, without what is as in the paper."""
    usual, named = (
        RunConfig(),
        ("momentum", "weight_decay", "dropout", "schedule", "augment", "loss", "label_smoothing"),
    )
    if config.optimizer.startswith("adam") and config.momentum == ADAMS_MOMENTUM:
        # What it has anyway.
        config = dataclasses.replace(config, momentum=None)
    parts = [config.optimizer, f"learning rate {config.learning_rate:g}", f"batches of {config.batch_size:,}"]
    others = {name: getattr(config, name) for name in named}
    parts += [f"{name.replace('_', ' ')} {value}" for name, value in others.items() if value != getattr(usual, name)]
    return ", ".join(parts)


def _joined(values) -> str:
    return "; ".join(dict.fromkeys(values))
