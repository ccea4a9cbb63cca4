"""Sole owner of altair and of vl-convert: charts as Vega-Lite, and the scripts that show them without a network."""

import functools
from typing import Any


def altair() -> Any:
    """The library of charts, loaded when a chart is made: it takes a second."""
    import altair

    return altair


@functools.cache
def scripts() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, for the version of Vega-Lite that charts are made for."""
    import vl_convert

    version = ".".join(altair().SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=version)
