"""config.json: what a run says about itself, and whether what is found beside it belongs to it."""

import dataclasses
import types
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from memorize_jax import models
from memorize_jax.config import KNOWN_OF_WATCHED, RunConfig, check_types
from memorize_jax.data import PermutedLabels, Splits
from memorize_jax.models import Layer
from memorize_jax.plugins import is_own
from memorize_jax.runs.folder import RunFolder, check_no_ensemble, check_no_sweep, instead_of_run, nearest_folder
from memorize_jax.runs.identity import data_fingerprint, possible_identities, run_identity
from memorize_jax.runs.provenance import own_code, provenance
from memorize_jax.storage.files import read_json, write_json

# Parts of config.json that only some runs have.
OPTIONAL = ("network", "own_code")
# Settings that runs of earlier versions lack; they say nothing about the outcome or about what is stored.
LATER = ("wandb", "mlflow")


class Noted(NamedTuple):
    """What config.json holds; None for what a run of the first version did not note.

    Attributes:
      settings: name of a measurement -> its settings, which it takes unless told otherwise.
      data: fingerprint, see `identity.data_fingerprint`.
      together: seeds that are trained as one program with this one; empty for a run that is trained alone.
      provenance: every combination of versions, device and commit that took part in the training.
      commands: lines that were given to train it.
      network: of a run that was watched, what its network is, see `WatchedNetwork`; None for a network of this package.
      own_code: checksums of the reader's own modules that train it, see `provenance.own_code`; None if there are none,
        or they are not known, as of earlier versions.
    """

    config: RunConfig
    preset: str | None = None
    settings: Mapping = types.MappingProxyType({})
    identity: str | None = None
    data: dict | None = None
    together: list | tuple = ()
    provenance: list | tuple = ()
    commands: list | tuple = ()
    network: dict | None = None
    own_code: dict | None = None

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The analyzed layers of its network, in order."""
        if self.network is None:
            return models.layers(self.config.model)
        found = enumerate(self.network["layers"].items(), start=1)
        return tuple(Layer(name, number, "as it was watched", held=tuple(held)) for number, (name, held) in found)


def check_same_run(run: RunFolder, config: RunConfig) -> None:
    """Raises ValueError if the folder holds a sweep, or a run with another configuration; names what differs."""
    check_no_sweep(run.workdir)
    check_no_ensemble(run.workdir)
    if not run.config.is_file():
        return
    held, asked = read_config(run).deciding(), config.deciding()
    if held.keys() != asked.keys():
        kind = "that was watched" if len(held) < len(asked) else "that was trained by a command"
        raise ValueError(f"workdir {run.workdir} holds a run {kind}; choose another --workdir")
    different = [f"{name}={held[name]} (asked: {asked[name]})" for name in asked if held[name] != asked[name]]
    if different:
        what, goes_over = ", ".join(different), held.get("schedule_epochs")
        # Other epochs alone stretch a schedule that was given none of its own.
        kept = (
            f", here --schedule_epochs={goes_over}" if goes_over and different[0].startswith("schedule_epochs") else ""
        )
        raise ValueError(
            f"workdir {run.workdir} holds a run with {what}; choose another --workdir or the same settings{kept}"
        )


def check_same_data(run: RunFolder, noted: Noted, splits: Splits, labels: PermutedLabels | None = None) -> None:
    """Raises ValueError for other images or other true labels than a run was trained on; says which."""
    known = noted.data or {}  # of a run of the first version only the true labels are known
    found = data_fingerprint(splits) if known else {}
    changed = {name for name in found if found[name] != known.get(name)}
    if labels is not None and not np.array_equal(labels.true, splits.train.labels):
        changed.add("labels")
    if changed:
        what = " and ".join(sorted(changed)).replace("labels", "true labels")
        if noted.config.is_watched:
            raise ValueError(f"the run in {run.workdir} was trained on other {what}; choose another workdir for these")
        raise ValueError(
            f"the run in {run.workdir} was trained on other data: its {what} are not those of the data set "
            f"{noted.config.dataset}; were files replaced (--data_dir), does a loader shuffle without a fixed seed, "
            "does another version of a library decode them?"
        )


def read_config(run: RunFolder) -> RunConfig:
    """The configuration of a run, see `read_noted`."""
    return read_noted(run).config


def read_noted(run: RunFolder) -> Noted:
    """Reads what a run says about itself.

    Raises FileNotFoundError, which says what the folder holds instead, or how to make a run; NotADirectoryError; or
    ValueError, if it holds a sweep, or config.json is not one of ours, was changed, or is of a newer version.
    """
    nearest_folder(run.workdir)
    check_no_sweep(run.workdir)
    if not run.config.is_file():
        raise FileNotFoundError(f"no run in {run.workdir} (no config.json); {instead_of_run(run)}")
    try:
        content, sealed = read_json(run.config)
        if not sealed and set(content) - {"config", "provenance"}:
            raise ValueError("parts that only the first version lacked, and no checksum")
        needed = [name for name in Noted._fields if name not in OPTIONAL] if sealed else ["config"]
        _check_names("parts", content, Noted._fields, needed)
        # What is not there is not known: a default would be a guess.
        names = {field.name: field.metadata["is_new"] or field.name in LATER for field in dataclasses.fields(RunConfig)}
        is_watched = content.get("network") is not None
        needed = KNOWN_OF_WATCHED if is_watched else [name for name, came_later in names.items() if not came_later]
        _check_names("settings", content["config"], names, needed)
        config = RunConfig(**content["config"])
        config.validate()
        # The first version noted where a run was begun, or last resumed.
        origin = content.get("provenance") or []
        noted = Noted(**{**content, "config": config, "provenance": origin if isinstance(origin, list) else [origin]})
        check_types(noted)
        if config.is_watched != is_watched or not isinstance((noted.network or {"layers": {}}).get("layers"), dict):
            raise ValueError(f"something else as network: {noted.network!r:.60}")
        is_origin = lambda one: isinstance(one, dict) and isinstance(one.get("packages", {}), dict)
        for part, is_sound in (("provenance", is_origin), ("commands", lambda one: isinstance(one, str))):
            if not all(map(is_sound, getattr(noted, part))):
                raise ValueError(f"something else as {part}: {getattr(noted, part)!r:.60}")
        identities = possible_identities(config, noted.data or {}, noted.together)
        if noted.identity is not None and noted.identity not in identities:
            raise ValueError("another run than its identity says")
        return noted
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{run.config}: expected the configuration of a run, got {error}") from error


def _check_names(kind, found, known, needed):
    if not isinstance(found, dict):
        raise ValueError(f"{type(found).__name__} instead of {kind}")
    if unknown := [name for name in found if name not in known]:
        raise ValueError(f"unknown {kind} {', '.join(unknown)}: it is damaged, or of a newer version of memorize_jax")
    if missing := [name for name in needed if name not in found]:
        raise ValueError(f"no {', '.join(missing)}")


def write_config(run: RunFolder, config: RunConfig, noted: Noted | None = None) -> None:
    """Writes the configuration with all that a run notes about itself; None: versions, device and commit alone."""
    run.workdir.mkdir(parents=True, exist_ok=True)
    noted = noted or Noted(config, provenance=[provenance()])
    parts = {name: part for name, part in noted._asdict().items() if name not in OPTIONAL or part is not None}
    fields = {name: getattr(config, name) for name in config.known}
    write_json(run.config, {**parts, "config": fields, "settings": dict(noted.settings)})


def begin(
    run: RunFolder, config: RunConfig, splits: Splits, plan: Mapping = types.MappingProxyType({}), command: str = ""
) -> Noted:
    """Writes config.json of a run that is begun, or notes in it how long one is to be trained further.

    Of a new run, preset, settings (of every measurement), together and network are noted as planned; the command always
    is.
    """
    if run.config.is_file():
        held = read_noted(run)
        # Equal values may be written in other ways, 1 and 1.0, and the identity is of what was written.
        written = {name: getattr(held.config, name) for name in held.config.deciding() if name != "schedule_epochs"}
        noted = held._replace(config=dataclasses.replace(config, **written))
    else:
        data, own = data_fingerprint(splits), own_code(_training_modules(config)) or None
        identity = run_identity(config, data, plan.get("together", ()))
        noted = Noted(config, data=data, identity=identity, own_code=own, **plan)
    noted = noted._replace(commands=list(dict.fromkeys([*noted.commands, *filter(None, [command])])))
    write_config(run, config, noted)
    return noted


def _training_modules(config: RunConfig) -> tuple[str, ...]:
    """The reader's own modules that decide how a run trains; of a data set the data themselves are known."""
    parts = (config.model, config.optimizer, config.schedule, config.augment, config.loss)
    return tuple(name.partition(":")[0] for name in parts if is_own(name))


def note_provenance(run: RunFolder) -> None:
    """Adds this machine, with its versions, to those that took part in the training; none is ever replaced."""
    noted, here = read_noted(run), provenance()
    if here not in noted.provenance:
        write_config(run, noted.config, noted._replace(provenance=[*noted.provenance, here]))
