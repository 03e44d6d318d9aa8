"""Every motion prior by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hand4d_ros.errors import ConfigError
from hand4d_ros.nn.cards import find_weights
from hand4d_ros.nn.weights import read_weights
from hand4d_ros.tracking.priors.base import MotionPrior


def _hmp() -> MotionPrior:
    from hand4d_ros.tracking.priors.hmp import load_hmp

    return load_hmp()


def _pca() -> MotionPrior:
    from hand4d_ros.tracking.priors.pca import PcaPrior

    _, tensors = read_weights(find_weights("motion_pca"), "motion_pca")
    return PcaPrior(tensors["mean"], tensors["components"])


def _gmm() -> MotionPrior:
    from hand4d_ros.tracking.priors.gmm import GmmPrior

    _, tensors = read_weights(find_weights("motion_gmm"), "motion_gmm")
    return GmmPrior(tensors["log_weights"], tensors["means"], tensors["factors"])


def _none() -> MotionPrior:
    from hand4d_ros.tracking.priors.none import NoPrior

    return NoPrior()


def _slerp() -> MotionPrior:
    from hand4d_ros.tracking.priors.slerp import SlerpPrior

    return SlerpPrior()


PRIORS: Mapping[str, Callable[[], MotionPrior]] = {
    "hmp": _hmp,
    "pca": _pca,
    "gmm": _gmm,
    "none": _none,
    "slerp": _slerp,
}
"""What makes each."""


def load_prior(name: str) -> MotionPrior:
    """Return a prior.

    Args:
        name: One of ``PRIORS``.

    Raises:
        ConfigError: There is none of this name.
        WeightsError: Its weights are missing or unusable.
    """
    if name not in PRIORS:
        raise ConfigError(f"there is no motion prior {name!r}; choose one of {', '.join(PRIORS)}")
    return PRIORS[name]()
