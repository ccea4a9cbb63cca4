"""The moving picture of a study: layer by epoch, to hover, move and click; made of tables alone."""
