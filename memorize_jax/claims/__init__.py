"""The paper's testable statements, each a function of a study's tables, and the sheet that judges them."""

from memorize_jax.claims.sheet import STATEMENTS, as_markdown, evaluate, judge
from memorize_jax.claims.statement import HOLDS, VERDICTS, Claim, Statement, Threshold

__all__ = ["HOLDS", "STATEMENTS", "VERDICTS", "Claim", "Statement", "Threshold", "as_markdown", "evaluate", "judge"]
