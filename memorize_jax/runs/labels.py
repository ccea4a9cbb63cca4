"""labels.npz: the training labels of a run, true and assigned."""

import numpy as np

from memorize_jax.config import RunConfig
from memorize_jax.data import PermutedLabels
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.identity import digest_of
from memorize_jax.runs.noted import Noted
from memorize_jax.storage.files import replacing


def write_labels(run: RunFolder, labels: PermutedLabels, config: RunConfig, identity: str | None = None) -> None:
    """Writes the training labels with the run that they belong to, which has no identity in the first version."""
    run.workdir.mkdir(parents=True, exist_ok=True)
    with replacing(run.labels) as beside:
        about = {"seed": config.seed, "mode": np.array(config.permutation), "identity": np.array(identity or "")}
        np.savez(beside, **labels._asdict(), **about, checksum=np.array(digest_of(*labels)))


def read_labels(run: RunFolder, noted: Noted | None = None) -> PermutedLabels:
    """Reads the training labels, and compares them with what config.json says, if that is `noted`.

    Raises FileNotFoundError, or ValueError if labels.npz is damaged or belongs to another run.
    """
    if not run.labels.is_file():
        raise FileNotFoundError(f"no labels.npz in {run.workdir}; train the run again")
    try:
        with open(run.labels, "rb") as stream, np.load(stream, allow_pickle=False) as content:
            labels = PermutedLabels(content["assigned"], content["true"], content["is_permuted"])
            seed, mode = int(content["seed"]), str(content["mode"])
            identity = str(content["identity"]) if "identity" in content else ""
            if identity and str(content["checksum"]) != digest_of(*labels):
                raise ValueError("other labels than were written")
    except Exception as error:  # zip and header readers raise whatever they raise
        raise ValueError(f"{run.labels}: expected the labels of a run, got {error!r}") from error
    if noted is not None:
        of = {"seed": seed, "permutation": mode, "identity": identity}
        asked = {"seed": noted.config.seed, "permutation": noted.config.permutation, "identity": noted.identity or ""}
        if of != asked:
            name = next(name for name in of if of[name] != asked[name])
            raise ValueError(f"{run.labels} belongs to another run: its {name} is {of[name]}, not {asked[name]}")
    return labels


def check_same_labels(run: RunFolder, drawn: PermutedLabels, held: PermutedLabels) -> None:
    """Raises ValueError unless the labels drawn for a run are those of its labels.npz; counts what differs."""
    counts = {
        name: int(np.sum(own != other)) if own.shape == other.shape else own.size
        for name, own, other in zip(held._fields, held, drawn, strict=True)
    }
    if different := [f"{count} of {len(held.true)} {name}" for name, count in counts.items() if count]:
        raise ValueError(
            f"{run.labels} holds other labels than are drawn for its seed now: {' and '.join(different)} differ, "
            "as with another version of numpy, or of a run begun with another JAX_DEFAULT_PRNG_IMPL; resume with the "
            "versions that config.json notes, or choose another --workdir"
        )
