"""The site: what mkdocs.yml asks of Python. No part of the wheel."""
