"""Geman and McClure's cost, which an outlier can raise only up to a bound."""

from __future__ import annotations

import numpy as np

from hand4d_ros.shapes import Array, Float


def geman_mcclure(
    squared: Float[Array, "*b"], scale: float
) -> tuple[Float[Array, "*b"], Float[Array, "*b"]]:
    """Robust cost of squared residuals and the weight that a least-squares step gives them.

    ``rho(s) = c^2 s / (c^2 + s)``, which is s for small s and never more than c^2, and its
    derivative ``w = (c^2 / (c^2 + s))^2``: the gradient of rho/2 is w times that of s/2. Source:
    Geman and McClure, Bull. Internat. Statist. Inst. 52, 1987, as Dyn-HaMR, Eq. 8, has it.

    Args:
        squared: Squared length of each residual, in units of its deviation squared.
        scale: The c from which on a residual loses influence, in deviations.
    """
    share = scale**2 / (scale**2 + squared)
    return share * squared, np.asarray(share**2)
