"""Pages that show what was found: of one study, or of several side by side; made of tables alone."""

from memorize_jax.report.comparison_page import Compared, comparison_page
from memorize_jax.report.study_page import Making, study_page

__all__ = ["Compared", "Making", "comparison_page", "study_page"]
