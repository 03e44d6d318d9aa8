"""A least-squares problem over frames in, the unknowns that minimise it out."""
