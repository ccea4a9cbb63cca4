"""What the report says of the examples shown."""

from memorize_jax.pages.section import Section
from memorize_jax.pages.views import make_view


def _examples(study):
    texts = {"group": "group", "example": "example", "true": "true label", "assigned": "assigned label"}
    return make_view("examples", "Examples shown", study.tables["examples"], texts, {})


SECTION = Section("", {"examples": ((), _examples)})
