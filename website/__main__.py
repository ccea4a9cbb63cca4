"""Builds the site into build/site, where a warning is an error.

python -m website --site-dir=FOLDER
"""

import sys

from mkdocs.__main__ import cli

if __name__ == "__main__":
    cli(["build", "--strict", *sys.argv[1:]])
