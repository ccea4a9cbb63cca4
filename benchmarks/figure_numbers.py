"""What our studies have where the paper says something of a figure: numbers, and these in words."""

from collections.abc import Callable, Sequence

import pandas as pd

from memorize_jax.activations import INPUT
from memorize_jax.measurements.rewinding.sources import own_rows
from memorize_jax.measurements.rewinding.statements import last_layer
from memorize_jax.studies.accuracies import accuracies
from memorize_jax.studies.study import Study

LIKE = ("unpermuted", "restored", "test")


def by_layer(study: Study, stage: str, group: str, column: str = "joint_capacity") -> pd.Series:
    """A measure of the geometry at the best or final epoch, mean over seeds, by layer from the input to the output."""
    rows = study.at_stage("geometry", stage)
    means = rows[rows["group"] == group].groupby("layer")[column].mean()
    return means.reindex([INPUT, *study.layers])


def contrasts(study: Study, stage: str, groups: Sequence[str] = LIKE) -> pd.Series:
    """Highest over lowest joint capacity of some groups, less 1, by layer."""
    found = pd.DataFrame({group: by_layer(study, stage, group) for group in groups})
    return found.max(axis=1) / found.min(axis=1) - 1


def last_rewound(study: Study) -> pd.Series:
    """Test accuracy with the last convolution rewound alone, by rewind epoch; mean over seeds."""
    table = own_rows(study.tables["rewinding"])
    rows = table[(table["into"] == "final") & (table["layer"] == last_layer(study.layers))]
    return rows.groupby("rewind_epoch")["test_accuracy"].mean()


def given_back(study: Study) -> pd.Series:
    """The share of the lost test accuracy that a layer, rewound alone to the epoch that helps most, gives back; mean over seeds."""
    table, found = own_rows(study.tables["rewinding"]), accuracies(study).query("group == 'test'").set_index("seed")
    alone = table[(table["into"] == "final") & (table["num_layers"] == 1)]
    best = alone.groupby(["layer", "seed"])["test_accuracy"].max()
    lost = found["peak"] - found["final"]
    return best.sub(found["final"], level="seed").div(lost, level="seed").groupby("layer").mean().reindex(study.layers)


def _listed(values: pd.Series, scale: float = 1, digits: int = 2) -> str:
    return " ".join("–" if pd.isna(value) else f"{scale * value:.{digits}f}" for value in values)


def capacities_in_words(stage: str, *groups: str) -> Callable[[Study], str]:
    """Joint capacities of some groups, in units of the lower bound 2/M, by layer."""

    def ours(study):
        per_bound = study.tables["geometry"]["examples_per_class"].max() / 2
        return "; ".join(f"{group} {_listed(by_layer(study, stage, group), per_bound)}" for group in groups)

    return ours


def contrast_in_words(stage: str, groups: Sequence[str] = LIKE) -> Callable[[Study], str]:
    """How far some groups are apart, by layer."""
    named = f"{', '.join(groups[:-1])} and {groups[-1]}"
    return lambda study: f"highest above lowest of {named}, %: {_listed(contrasts(study, stage, groups), 100, 1)}"


def training_in_words(study: Study) -> str:
    """Accuracies at their peaks and at the end."""
    found = accuracies(study).groupby("group")[["peak", "best", "final"]].mean() * 100
    epochs = [", ".join(map(str, study.epochs_of(stage).values())) for stage in ("best", "final")]
    test, restored, permuted = (found.loc[group] for group in ("test", "restored", "permuted"))
    return (
        f"training ends at {found.loc['train', 'final']:.1f} % (epoch {epochs[1]}); test {test['peak']:.1f} % at epoch {epochs[0]}, "
        f"{test['final']:.1f} % at the end; restored at most {restored['peak']:.1f} %, {restored['final']:.1f} % at the end; permuted "
        f"{permuted['best']:.1f} % when test is highest"
    )


def correlations_in_words(study: Study) -> str:
    """Center correlations at the input."""
    return "; ".join(f"{group} {by_layer(study, 'best', group, 'center_correlation')[INPUT]:.3f}" for group in LIKE)


def change_in_words(study: Study) -> str:
    """How far the three groups went from the best epoch to the end."""
    changes = [(by_layer(study, "final", group) / by_layer(study, "best", group) - 1) for group in LIKE]
    return f"change since the best epoch, %: {'; '.join(f'{group} {_listed(own, 100, 0)}' for group, own in zip(LIKE, changes, strict=True))}"


def rewound_in_words(study: Study) -> str:
    """What rewinding gives back, see `given_back`."""
    return f"share of the lost test accuracy that each layer gives back, %: {_listed(given_back(study), 100, 0)}"


def last_rewound_in_words(study: Study) -> str:
    """Test accuracy with the last convolution rewound, see `last_rewound`."""
    found = last_rewound(study)
    return f"test accuracy with {last_layer(study.layers)} rewound to epoch {', '.join(map(str, found.index))}, %: {_listed(found, 100, 1)}"


def dependent_in_words(study: Study) -> str:
    """Of permuted over unpermuted examples, norm of the label-dependent part."""
    table = study.tables["gradients"]
    rows = table[(table["part"] == "dep") & (table["form"] == "eq15")]
    norms = rows.set_index(["epoch", "layer", "group"])["squared_norm"].groupby(level=[0, 1, 2]).mean() ** 0.5
    groups = norms.unstack("group")
    ratios = groups["permuted"] / groups["unpermuted"]
    there = set(ratios.index.get_level_values("epoch"))
    named = {"epoch 1": 1, "best epoch": next(iter(study.epochs_of("best").values()))}
    layers = [layer for layer in study.layers if layer in ratios.index.get_level_values("layer")]
    parts = [f"{name} {_listed(ratios.loc[epoch].reindex(layers))}" for name, epoch in named.items() if epoch in there]
    return f"norm of the dependent part, permuted over unpermuted examples, {layers[0]} to {layers[-1]}: {'; '.join(parts)}"
