import pytest

from memorize_jax.commands import cli, figures
from memorize_jax.config import RunConfig
from memorize_jax.runs.folder import RunFolder
from memorize_jax.runs.noted import write_config
from memorize_jax.storage.tables import GEOMETRY, METRICS
from tests.figures import invented


@pytest.fixture
def measured(tmp_path):
    """A run folder with made-up accuracy and geometry, and no other table."""
    run = RunFolder(tmp_path / "run")
    write_config(run, RunConfig())
    invented.metrics()[list(METRICS)].to_csv(run.metrics, index=False)
    run.results.mkdir()
    invented.geometry("mlp", epochs=())[list(GEOMETRY)].to_csv(run.results / "geometry.csv", index=False)
    return run


def test_all_that_can_be_drawn_is_and_the_rest_says_why(measured, capsys):
    paths = figures.run(measured.workdir)
    assert sorted(measured.figures.iterdir()) == sorted(paths)
    assert [path.name for path in paths] == [
        "fig2a.svg",
        "fig3a.svg",
        "fig3b.svg",
        "fig3_split.svg",
        "participation.svg",
    ]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{paths[0]}: Accuracy while training."
    command = f"python -m experiments.rewinding --workdir={measured.workdir}"
    assert f"not drawn: fig4a: no table rewinding; make it with: {command}" in lines


def test_figures_are_drawn_by_the_papers_names(measured, capsys):
    assert [path.name for path in figures.run(measured.workdir, "figa4")] == ["fig3a.svg", "fig3b.svg"]
    assert "The paper's figure for this network is A.4." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("fig9", "expected figures among all, fig1a"),
        ("fig2a,fig4b", r"fig4b cannot be drawn: no table rewinding; make it with: python -m experiments\.rewinding"),
        ("map_capacity", r"map_capacity cannot be drawn: .* --geometry_epochs=log,best,final"),
        ("figa5", "figa5 is the paper's fig3a and fig3b for alexnet, and this is mlp"),
    ],
)
def test_what_was_asked_for_and_cannot_be_drawn_is_an_error(measured, names, message):
    with pytest.raises(ValueError, match=message):
        figures.run(measured.workdir, names)
    assert not measured.figures.exists()


WRITTEN = {"all,fig3a": "all", " ALL ": "all", "Fig3a, figA4,,": "fig3a,figa4", "fig5": "fig5", ",": ""}


@pytest.mark.parametrize(("text", "names"), WRITTEN.items())
def test_figures_are_named_as_people_write_them(text, names):
    assert cli.figure_names(text) == names
