"""Seeds and methods in, the figures of every method on one suite out."""
