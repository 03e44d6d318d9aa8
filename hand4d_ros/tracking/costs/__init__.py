"""Unknowns of hands and cameras in, residuals and their Jacobians out: one pure function each."""
