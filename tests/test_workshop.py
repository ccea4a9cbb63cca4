"""What contributors meet: workflows, templates, checks before a commit, and the version of a release."""

import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from tests.commands import ROOT, blocks

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOWS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml")}
EXTRAS = PROJECT["project"]["optional-dependencies"]


def steps(workflow):
    """The command lines of a workflow."""
    jobs = yaml.safe_load(workflow)["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


def test_workflows_run_what_there_is():
    assert set(WORKFLOWS) == {"ci", "newest", "release", "site"}
    assert ".ci/run" in steps(WORKFLOWS["ci"])
    for line in (line for workflow in WORKFLOWS.values() for line in steps(workflow)):
        for file in re.findall(r"(?<!\S)((?:tests|\.ci)/[\w/.]+|constraints[\w-]*\.txt)", line):
            assert (ROOT / file).exists(), (line, file)
        for extras in re.findall(r"\.\[([\w,]+)\]", line):
            assert set(extras.split(",")) <= set(EXTRAS), line


def test_macos_and_windows_run_the_tests_of_import_geometry_and_analyze():
    systems = yaml.safe_load(WORKFLOWS["ci"])["jobs"]["systems"]
    assert systems["strategy"]["matrix"]["os"] == ["macos-latest", "windows-latest"]
    (command,) = [step["run"] for step in systems["steps"] if "pytest" in step.get("run", "")]
    assert {"tests/test_front_door.py", "tests/geometry", "tests/own_activations"} <= set(command.split())


def test_only_the_step_that_publishes_can_write():
    for name, workflow in WORKFLOWS.items():
        permissions = yaml.safe_load(workflow)["permissions"]
        assert permissions["contents"] == "read", name
    release = yaml.safe_load(WORKFLOWS["release"])["jobs"]
    assert release["publish"]["permissions"] == {"id-token": "write"}
    assert release["publish"]["needs"] == "build"
    assert "secrets." not in "".join(WORKFLOWS.values())


def test_forms_ask_for_something():
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.stem != "config":
            assert {"name", "description", "body"} <= set(form)
            fields = [field["id"] for field in form["body"]]
            assert len(set(fields)) == len(fields) > 1


def test_checks_before_a_commit_are_style_types_and_documents():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [hook["id"] for hook in repository["hooks"]] == ["ruff", "ruff-format", "types", "docs"]
    for hook in repository["hooks"]:
        assert re.compile(hook.get("files", "")), hook


def test_constraints_pin_what_the_extras_ask_for():
    for name in ("constraints.txt", "constraints-newest.txt"):
        pinned = {re.sub("[-_.]+", "-", line.split("==")[0]).lower() for line in (ROOT / name).read_text().split()}
        for extra in ("test", "docs", "dev"):
            asked = {re.sub("[-_.]+", "-", re.match(r"[\w-]+", one)[0]).lower() for one in EXTRAS[extra]}
            assert asked <= pinned | ({"tensorboardx"} if "newest" in name else set()), (name, extra)


def test_the_command_of_the_readme_installs_what_the_site_needs():
    command = blocks((ROOT / "README.md").read_text(encoding="utf-8"), "sh")[2]
    installed = set(re.findall(r"(?<=constraints\.txt )(.*?)(?= &&)", command)[0].replace("'", "").split())
    needed = {re.match(r"[\w\[\]-]+", one)[0] for one in EXTRAS["docs"]}
    # The theme brings MkDocs.
    assert installed == needed - {"mkdocs"}


@pytest.mark.parametrize(("described", "version"), [("v1.2.3", "1.2.3"), ("", "0.1.0.dev0")])
def test_the_version_of_an_archive_is_that_of_its_tag(tmp_path, described, version):
    pytest.importorskip("setuptools_scm")
    for name in ("pyproject.toml", ".git_archival.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    archival = tmp_path / ".git_archival.txt"
    # What `git archive` writes for the placeholder; nothing where there is no tag.
    text = re.sub(r"^describe-name: .*$", f"describe-name: {described}", archival.read_text(), flags=re.MULTILINE)
    archival.write_text(text)
    done = subprocess.run([sys.executable, "-m", "setuptools_scm"], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == version, done.stderr
    assert ".git_archival.txt export-subst" in (ROOT / ".gitattributes").read_text()
