"""The paper's testable statements judged on a study: what a statement is, its evidence, the sheet."""
