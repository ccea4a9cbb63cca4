"""Which epochs the scores are of, in words."""

from collections.abc import Sequence

from memorize_jax.epochs import held_out, kept_epochs
from memorize_jax.studies.study import Study


def listed(epochs: Sequence[int]) -> str:
    """Epochs in order, neighbors together: "epochs 1 to 3, 7"."""
    ranges: list[list[int]] = []
    for epoch in epochs:
        if ranges and epoch == ranges[-1][-1] + 1:
            ranges[-1].append(epoch)
        else:
            ranges.append([epoch])
    words = [str(own[0]) if len(own) == 1 else f"{own[0]} to {own[-1]}" for own in ranges]
    return f"epoch{'s' if len(epochs) > 1 else ''} {', '.join(words)}"


def missing_epochs(study: Study) -> str:
    """What the scores of a study are not of: networks that were not kept, or are damaged; "" if they are of all."""
    keep = {noted.config.seed: noted.config.keep for noted in study.noted.values()}
    entered = study.tables["per_example"].groupby("seed")["num_epochs"].first()
    found = {}
    for seed in study.seeds:
        metrics = study.metrics_of(seed)
        kept = kept_epochs(keep.get(seed, "all"), held_out(metrics).tolist())
        stored = kept.snapshots | kept.full
        lost = sorted(set(metrics["epoch"].tolist()) - stored)
        said = [f"the run keeps no network of {listed(lost)}"] if lost else []
        if damaged := len(stored) - int(entered[seed]):
            said.append(f"{damaged} of the {len(stored)} networks that it keeps were damaged")
        if said:
            found[seed] = f"followed at {entered[seed]} of {len(metrics)} epochs: {'; '.join(said)}"
    if len(found) == len(study.seeds) and len(set(found.values())) == 1:
        return f"Examples were {next(iter(found.values()))}."
    return " ".join(f"Examples of seed {seed} were {text}." for seed, text in found.items())
