"""Where the layers of a rewound network come from: the run itself, or another one."""

import pandas as pd

# In the column `source`, instead of the folder of another run.
SELF = "self"


def own_rows(rewinding: pd.DataFrame) -> pd.DataFrame:
    """The rows of the run's own layers; tables of the first versions have no others."""
    return rewinding[_is_own(rewinding)]


def other_rows(rewinding: pd.DataFrame) -> pd.DataFrame:
    """The rows of layers of another run, and of those that were put into it."""
    return rewinding[~_is_own(rewinding)]


def _is_own(rewinding):
    return rewinding["source"].isna() | (rewinding["source"] == SELF)
