import types
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest

from memorize_jax.figures import style
from memorize_jax.figures.figure import missing
from memorize_jax.measurements import registry
from tests.figures import invented


@pytest.fixture(scope="session")
def gallery(tmp_path_factory):
    """Draws a figure of the catalog from an invented study, once; gives what was saved, not to be changed."""
    folder, known, saved, save = tmp_path_factory.mktemp("gallery"), {}, [], style._save

    def keeping(figure, path):
        saved.append(figure)
        return save(figure, path)

    def drawn(name, study=invented.RUN, **changes):
        """The figure of a study, of one whose tables are changed where there are changes."""
        if changes:
            return draw(name, invented.changed(study, **changes))
        key = (name, id(study))
        if key not in known:
            known[key] = (draw(name, study), study)
        return known[key][0]

    def draw(name, study):
        figure = registry.figures()[name]
        assert missing(figure, study) == ""
        path = figure.draw(study, folder / f"{name}.svg")
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
        assert not plt.get_fignums()
        return saved[-1]

    style._save = keeping
    yield types.SimpleNamespace(drawn=drawn, saved=saved)
    style._save = save
