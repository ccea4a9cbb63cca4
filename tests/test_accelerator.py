"""The campaign on an accelerator, as far as a processor can tell."""

import importlib
import inspect
import json

import pytest

from benchmarks.campaign import campaign as module
from benchmarks.campaign import results
from benchmarks.campaign.step import STEPS
from benchmarks.campaign.supervisor import Supervisor
from tests import commands

MADE = {"device": "1 x NVIDIA H100 80GB HBM3", "commit": "abc", "packages": {"jax": "0.10.2"}}
NAMES = [step.name for step in STEPS]


class Answers:
    """A supervisor that answers at once; steps of `failing` run out of memory."""

    failing, state, asked, closed = {}, "done", [], 0

    def __init__(self, workdir, *, rehearse):
        self.asked.clear()

    def ask(self, step, seconds):
        self.asked.append(step)
        found = {"made": MADE, "seconds": 1.0, "state": self.failing.get(step, self.state)}
        told = {"records": [{"a": step, "b": 0.5}]} if found["state"] == "done" else {"error": "what was said"}
        return found | told

    def close(self):
        type(self).closed += 1


@pytest.fixture
def answers(monkeypatch):
    kind = type("Own", (Answers,), {"failing": {}, "asked": []})
    monkeypatch.setattr(module, "Supervisor", kind)
    return kind


def test_every_step_is_a_function_that_takes_its_arguments():
    for step in STEPS:
        where, _, name = step.function.partition(":")
        function = getattr(importlib.import_module(f"benchmarks.campaign.{where}"), name)
        for rehearse in (False, True):
            inspect.signature(function).bind("folder", **step.settings(rehearse=rehearse))
        assert set(step.tiny) <= set(step.arguments) | {"with_torch"}


def test_names_are_of_one_step_each():
    assert len(set(NAMES)) == len(NAMES)


def test_what_fails_is_noted_and_the_next_goes_on(answers, tmp_path):
    answers.failing = {NAMES[1]: "out of memory"}
    out = tmp_path / "deep" / "results.jsonl"
    assert module.campaign(out, minutes=600, rehearse=False) == []
    found = results.read(out)
    assert [one["step"] for one in found] == answers.asked == NAMES
    assert [one["state"] for one in found[:3]] == ["done", "out of memory", "done"]
    # Again: only what did not succeed.
    answers.failing = {}
    module.campaign(out, minutes=600, rehearse=False)
    assert answers.asked == [NAMES[1]]
    text = results.page(results.read(out))
    assert "Did not succeed" not in text
    assert "Not tried" not in text
    assert "Measured on 1 x NVIDIA H100 80GB HBM3; commit abc; jax 0.10.2." in text
    assert f" {NAMES[0]} | 0.5 |" in text


def test_what_the_time_left_is_too_short_for_is_left_out_and_named(answers, tmp_path):
    cheapest = min(step.seconds for step in STEPS)
    left = module.campaign(tmp_path / "a", minutes=(cheapest + 5) / 60, rehearse=False)
    assert set(left) == {step.name for step in STEPS if step.seconds > cheapest + 5}
    assert module.campaign(tmp_path / "b", minutes=0, rehearse=False) == NAMES
    assert answers.asked == []
    assert answers.closed == 2


def test_chosen_steps_alone_and_unknown_ones_refused(answers, tmp_path):
    module.campaign(tmp_path / "a", minutes=60, rehearse=True, names=[NAMES[2]])
    assert answers.asked == [NAMES[2]]
    with pytest.raises(ValueError, match=r"expected steps out of geometry of vgg16, .*, got no such"):
        module.campaign(tmp_path / "a", minutes=60, rehearse=True, names=["no such"])


def test_a_processor_is_refused_before_anything_is_noted(answers, tmp_path):
    answers.state = "no accelerator"
    with pytest.raises(ValueError, match="--rehearse measures tiny sizes on a processor"):
        module.campaign(tmp_path / "a", minutes=60, rehearse=False)
    assert results.read(tmp_path / "a") == []


def test_a_rehearsal_is_never_written(answers, tmp_path):
    module.campaign(tmp_path / "a", minutes=60, rehearse=True, names=NAMES[:2])
    with pytest.raises(ValueError, match="expected results of an accelerator, got those of a rehearsal"):
        results.page(results.read(tmp_path / "a"))
    with pytest.raises(ValueError, match="expected results, got none"):
        results.page([])
    # Nor does it stand for a measurement.
    module.campaign(tmp_path / "a", minutes=60, rehearse=False, names=NAMES[:2])
    assert answers.asked == NAMES[:2]


def test_what_did_not_succeed_and_what_was_not_tried_stands_below_the_tables(answers, tmp_path):
    answers.failing = {NAMES[1]: "out of time"}
    module.campaign(tmp_path / "a", minutes=60, rehearse=False, names=NAMES[:2])
    text = results.page(results.read(tmp_path / "a"))
    assert f"Did not succeed: {NAMES[1]} (out of time: what was said)." in text
    assert "Not tried: memorization; " in text


def test_a_line_that_was_cut_off_is_forgotten_and_any_other_damage_told(tmp_path):
    path = tmp_path / "a"
    whole = json.dumps({"step": "x"}) + "\n"
    path.write_text(whole + '{"step"')
    assert results.read(path) == [{"step": "x"}]
    assert path.read_text() == whole
    path.write_text(whole + "nonsense\n" + whole)
    with pytest.raises(ValueError, match="expected JSON in line 2, got 'nonsense'"):
        results.read(path)


@pytest.mark.slow
def test_a_rehearsal_measures_and_goes_on(tmp_path):
    out, steps = (
        tmp_path / "results.jsonl",
        ["memorization", "rewinding of the run", "joint geometry", "training mlp tf32"],
    )
    flags = ("-m", "benchmarks.accelerator", f"--out={out}", f"--steps={','.join(steps)}")
    done = commands.python(*flags, "--rehearse")
    assert done.returncode == 0, done.stderr + (tmp_path / "log.txt").read_text()
    found = results.read(out)
    assert [(one["step"], one["state"]) for one in found] == [(step, "done") for step in sorted(steps, key=NAMES.index)]
    assert all(one["records"] and one["rehearsal"] for one in found)
    commands.python(*flags, "--rehearse")
    assert results.read(out) == found
    refused = commands.python(*flags)
    assert refused.returncode == 1
    assert "expected an accelerator, got 1 x cpu; --rehearse measures tiny sizes on a processor" in refused.stderr
    refused = commands.python(*flags, "--write")
    assert refused.returncode == 1
    assert "got those of a rehearsal" in refused.stderr


@pytest.mark.slow
def test_a_step_that_takes_too_long_is_ended_and_another_process_goes_on(tmp_path):
    supervisor = Supervisor(tmp_path, rehearse=True)
    try:
        assert supervisor.ask("simulated capacity", 0.2)["state"] == "out of time"
        found = supervisor.ask("no such step", 60)
        assert (found["state"], found["error"].partition(";")[0]) == ("failed", "the process ended with 1")
        assert supervisor.ask("joint geometry", 60)["state"] == "done"
    finally:
        supervisor.close()
