"""The images that were memorized most: when they were learned, and how deep they are decided."""

import base64
import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from memorize_jax.figures.images import decode_image
from memorize_jax.studies.study import Study

# As many as stand side by side on a screen.
SHOWN = 8


class Memorized(NamedTuple):
    """An image of a training example, and what was found of it; `depth` is "" where it was not measured."""

    address: str
    example: int
    assigned: str
    true: str
    learned_epoch: int
    depth: str

    @property
    def alt(self) -> str:
        """What is to be seen and what was found, for those who do not see it."""
        depth = f", decided at {self.depth}" if self.depth else ""
        labels = f"labeled {self.assigned}" + (f", in truth {self.true}" if self.assigned != self.true else "")
        return f"Training image {self.example}, {labels}: learned at epoch {self.learned_epoch}{depth}"


def most_memorized(study: Study) -> list[Memorized]:
    """The most memorized images of the first seed; none where examples are no images or were not measured."""
    if study.axes or "per_example_images" not in study.tables:
        return []
    table = study.tables["per_example_images"]
    rows = table[(table["seed"] == study.seeds[0]) & (table["memorized"] == "most")].sort_values("rank").head(SHOWN)
    if rows.empty or rows["pixels"].isna().any() or rows["learned_epoch"].isna().any():
        return []
    images = [decode_image(row) for row in rows.itertuples()]
    brightest = max(1, *(int(image.max()) for image in images)) if images[0].shape[-1] == 1 else 255
    depths = _depths(study)
    return [
        Memorized(
            _address((image.astype(float) * 255 / brightest).round().astype(np.uint8)),
            int(row["example"]),
            str(row["assigned"]),
            str(row["true"]),
            int(row["learned_epoch"]),
            depths.get(int(row["example"]), ""),
        )
        for image, row in zip(images, rows.to_dict("records"), strict=True)
    ]


def _depths(study: Study) -> dict[int, str]:
    """Example -> the layer from which on its neighbors have the class that the final network gives it."""
    if "per_example" not in study.tables:
        return {}
    rows = study.tables["per_example"]
    rows = rows[(rows["seed"] == study.seeds[0]) & rows["prediction_depth_final"].notna()]
    # A depth of as many layers as there are, and one more, is reached by no layer.
    names = dict(enumerate(("input", *study.layers)))
    pairs = zip(rows["example"].astype(int), rows["prediction_depth_final"].astype(int), strict=True)
    return {example: names[depth] for example, depth in pairs if depth in names}


def _address(image: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
