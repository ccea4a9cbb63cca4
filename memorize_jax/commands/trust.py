"""What a command says about the runs that it is about to open, before anything of theirs is imported."""

import importlib.util
import pathlib
import re
import sys

from absl import flags

from memorize_jax import plugins
from memorize_jax.runs.folder import RunFolder, runs_in
from memorize_jax.storage.files import read_json
from memorize_jax.storage.lock import check_no_links

NAMING_CODE = ("dataset", "model", "optimizer", "schedule", "augment", "loss")


def check_workdirs(given: flags.FlagValues) -> str:
    """Refuses links in the folder that is worked in, and announces own code that a config.json names.

    Returns:
      A warning of a run of the first version, to be given with what was made of it; "" if there is none.

    Raises:
      ValueError: a link; or code that this command line does not name, without --trust_code.
    """
    if given.workdir and not getattr(given, "workdirs", None):
        check_no_links(RunFolder(given.workdir).workdir)
    workdirs = [given.workdir or "", *(getattr(given, "workdirs", None) or "").split(",")]
    warning = ""
    for run in (run for workdir in filter(None, map(str.strip, workdirs)) for run in runs_in(workdir)):
        try:
            content, _ = read_json(run.config)
            names = {content["config"].get(field) for field in NAMING_CODE}
            names.add((content.get("network") or {}).get("program"))
        except (ValueError, OSError, KeyError, AttributeError, TypeError):
            # Whatever opens the run says what is wrong with it.
            continue
        for name in sorted(name for name in names if isinstance(name, str) and plugins.is_own(name)):
            _announce(run, name, trusted=given.trust_code or name in _named_here(given))
        if content.get("identity") is None:
            first = f"warning: {run.workdir} is a run of the first version, without an identity"
            warning = warning or f"{first}: files that belong to another run cannot be told from its own"
    return warning


def _named_here(given):
    """The words of this command line, in its flags and in the file of a sweep."""
    file = pathlib.Path(getattr(given, "file", None) or "/nowhere")
    text = " ".join([*sys.argv[1:], file.read_text(errors="replace") if file.is_file() else ""])
    return set(re.split(r"[^\w.:]+", text))


def _announce(run, name, *, trusted):
    module = name.partition(":")[0].partition(".")[0]
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    place = getattr(spec, "origin", None) or "nowhere: it was not found"
    if not trusted:
        raise ValueError(
            f"the run in {run.workdir} uses code of its own, {name}, which would be imported from {place}; "
            "give --trust_code if you trust it"
        )
    print(f"importing {module} for {name} of {run.config} from {place}", file=sys.stderr, flush=True)
