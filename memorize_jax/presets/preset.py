"""Settings of a whole study: what a preset is, and the one that a run has noted."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from memorize_jax.config import RunConfig, Settings
from memorize_jax.measurements.measurement import Measurement
from memorize_jax.measurements.registry import settings_classes
from memorize_jax.runs.noted import Noted


@dataclasses.dataclass(frozen=True)
class Preset:
    """Settings of a whole study.

    Attributes:
      settings: name of a measurement -> those of its settings that are not the defaults.
      widths: of a study of growing width, in the form of its flag; "" for a study of one network.
      name: under which it is found; None for settings that belong to no preset.
    """

    summary: str
    run: RunConfig
    settings: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    widths: str = ""
    name: str | None = None

    def of(self, measurement: str) -> Settings:
        """The settings of a measurement."""
        return settings_classes()[measurement](**self.settings.get(measurement, {}))

    def of_all(self, measurement: Measurement) -> list[Settings]:
        """All settings that a measurement takes, those of its `parts`."""
        return [self.of(part) for part in measurement.parts]

    def replace(self, measurement: str, **changes) -> "Preset":
        """The preset with other settings of a measurement; raises ValueError for a value that cannot be."""
        if not changes:
            return self
        own = {**self.settings.get(measurement, {}), **changes}
        changed = dataclasses.replace(self, settings={**self.settings, measurement: own})
        changed.of(measurement).validate()
        return changed

    def with_run(self, **changes) -> "Preset":
        """The preset with other settings of the training; raises ValueError for a value that cannot be."""
        changed = dataclasses.replace(self, run=dataclasses.replace(self.run, **changes))
        changed.run.validate()
        return changed

    def plan(self) -> dict:
        """What a run notes of it when it is begun, see `runs.noted.Noted`."""
        settings = {name: dataclasses.asdict(self.of(name)) for name in settings_classes()}
        return {"preset": self.name, "settings": settings}


def noted_preset(noted: Noted) -> Preset:
    """The settings that a run has noted, of every measurement; of one that it does not name, the defaults."""
    preset = Preset("", noted.config, noted.settings, name=noted.preset)
    for name in settings_classes():
        try:
            preset.of(name).validate()
        except (TypeError, AttributeError) as error:
            raise ValueError(f"config.json: expected the settings of {name}, got {error}") from error
    return preset
