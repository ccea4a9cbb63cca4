"""Pages that show what was found: of one study, or of several side by side; made of tables alone."""
