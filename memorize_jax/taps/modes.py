"""How a network's call is told that it is not being trained, where it takes a keyword for that."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

# Keyword -> what evaluation is.
EVALUATION = {
    "train": False,
    "training": False,
    "is_training": False,
    "deterministic": True,
    "inference": True,
    "use_running_average": True,
}


def evaluation_keywords(call: Callable, *inputs: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `EVALUATION` that a function takes, but for those that it is given, by position or by name."""
    signature = inspect.signature(call)
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = {name for name, parameter in signature.parameters.items() if parameter.kind in by_name}
    try:
        known -= signature.bind_partial(*inputs, **given).arguments.keys()
    except TypeError:
        # The call itself says what is wrong with its arguments.
        return {}
    return {name: value for name, value in EVALUATION.items() if name in known}
