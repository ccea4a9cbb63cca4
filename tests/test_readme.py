import importlib.metadata
import importlib.util
import operator
import pathlib
import re

import pytest
from experiments.presets import PRESETS

import memorize_jax
from memorize_jax.studies.study import TABLES
from tests.commands import EXPERIMENTS, ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
CLOUD = (ROOT / "docs" / "cloud-tpu.md").read_text(encoding="utf-8")
TUTORIALS = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "tutorial").glob("*.md"))]
PROSE = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
FILE_ENDINGS = {".cff", ".csv", ".html", ".json", ".md", ".npz", ".py", ".toml", ".txt"}


def blocks(language, text=TEXT):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


COMMANDS = [line for text in (TEXT, CLOUD, *TUTORIALS) for block in blocks("sh", text) for line in block.splitlines()]


def test_the_first_two_blocks_are_one_command_each_to_reproduce_and_to_test():
    reproduce, test = (block.strip() for block in blocks("sh")[:2])
    assert "\n" not in reproduce
    assert "\n" not in test
    assert "-m experiments.reproduce" in reproduce
    assert "-m pytest" in test


@pytest.mark.parametrize("command", COMMANDS)
def test_every_module_a_command_runs_can_be_imported(command):
    named = re.findall(r"python3? -m ([\w.]+)", command)
    assert named or re.match(r"(gcloud|gcsfuse|export|\S*pip install) ", command)
    for module in named:
        assert importlib.util.find_spec(module), module


@pytest.mark.parametrize("command", COMMANDS)
def test_every_file_a_command_reads_exists(command):
    for file in re.findall(r"-c (\S+)", command):
        assert (ROOT / file).is_file(), file


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_flag_a_command_gives_exists(experiment, helps):
    text = helps[experiment]
    for command in COMMANDS:
        _, found, flags = command.partition(f"-m experiments.{experiment} ")
        for flag in re.findall(r"--(\w+)", flags) if found else ():
            assert re.search(rf"^  --(?:\[no\])?{flag}:", text, flags=re.MULTILINE), flag


def test_presets_are_all_named_and_exist():
    (sentence,) = re.findall(r"Presets: (.*?\))\.\n|Presets: (.*?)\.\n\n", PROSE, flags=re.DOTALL)
    assert set(re.findall(r"`(\w+)`", "".join(sentence))) == set(PRESETS)
    for preset in re.findall(r"--preset=(\w+)", TEXT + CLOUD):
        assert preset in PRESETS


def test_every_file_mentioned_exists(smoke_run):
    mentioned = [span for span in re.findall(r"`([\w./~-]+)`", PROSE)]
    paths = [span for span in mentioned if "/" in span or pathlib.Path(span).suffix in FILE_ENDINGS]
    assert "metrics.csv" in paths
    code = "".join(
        file.read_text() for folder in ("experiments", "memorize_jax") for file in (ROOT / folder).rglob("*.py")
    )
    for path in paths:
        # A file of the repository, one that every run makes, or a table that only some make.
        made = smoke_run / re.sub(r"^runs/\w+/", "", path)
        named = pathlib.Path(path).stem in TABLES or f'"{pathlib.Path(path).name}"' in code
        assert (ROOT / path).exists() or made.exists() or named, path


def test_every_link_inside_the_repository_leads_somewhere():
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", PROSE) if "://" not in link]
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_every_function_mentioned_exists():
    named = re.findall(r"`((?:geometry|data|models|analysis)\.[\w.]+)", PROSE)
    assert named
    for name in named:
        importlib.import_module(f"memorize_jax.{name.partition('.')[0]}")
        assert callable(operator.attrgetter(name)(memorize_jax)), name


def test_what_is_to_be_cited_has_the_version_of_the_package():
    (entry,) = blocks("bibtex")
    version = importlib.metadata.version("memorize_jax")
    assert f"version = {{{version}}}" in entry
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_example_code_runs(capsys):
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert "capacity" in capsys.readouterr().out
