import types
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from memorize_jax.figures.figure import missing
from memorize_jax.measurements import registry
from tests.figures import invented


@pytest.fixture(scope="session")
def gallery(tmp_path_factory):
    """Draws a figure of the catalog from an invented study, once; gives what matplotlib saved, not to be changed."""
    folder, known, saved, save = tmp_path_factory.mktemp("gallery"), {}, [], Figure.savefig

    def keeping(self, *arguments, **options):
        save(self, *arguments, **options)
        saved.append(self)

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

    Figure.savefig = keeping
    yield types.SimpleNamespace(drawn=drawn, saved=saved)
    Figure.savefig = save
