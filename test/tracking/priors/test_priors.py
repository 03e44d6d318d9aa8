"""Every prior keeps the common interface: continuous, differentiable, whitened, masked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hand4d_ros.errors import ConfigError, TrackingError
from hand4d_ros.geometry import so3
from hand4d_ros.hand.biomechanics import REST_RAD, STD_RAD
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.nn.hand_chain import HandChain
from hand4d_ros.nn.rotations import vee
from hand4d_ros.tracking.priors import slerp
from hand4d_ros.tracking.priors.base import FRAMES, MotionPrior
from hand4d_ros.tracking.priors.gmm import GmmPrior
from hand4d_ros.tracking.priors.hmp import HmpPrior
from hand4d_ros.tracking.priors.hmp_config import MotionVaeConfig
from hand4d_ros.tracking.priors.hmp_network import MotionVae
from hand4d_ros.tracking.priors.none import NoPrior
from hand4d_ros.tracking.priors.pca import PcaPrior
from hand4d_ros.tracking.priors.registry import load_prior
from hand4d_ros.tracking.priors.spline import BEND_STD, frame_times

torch.set_num_threads(1)
ALL = torch.ones(1, FRAMES, dtype=torch.bool)


def _gmm() -> GmmPrior:
    return GmmPrior(
        torch.log(torch.tensor([0.5, 0.5])),
        torch.stack((torch.zeros(22), torch.ones(22))),
        torch.eye(22).expand(2, 22, 22),
    )


def _made(name: str) -> MotionPrior:
    torch.manual_seed(0)
    if name == "hmp":
        return HmpPrior(MotionVae(MotionVaeConfig(latent=6, channels=(4, 4, 4, 4))))
    if name == "pca":
        return PcaPrior(0.1 * torch.randn(770), 0.1 * torch.randn(770, 9))
    if name == "gmm":
        return _gmm()
    return NoPrior() if name == "none" else slerp.SlerpPrior()


NAMES = ("hmp", "pca", "gmm", "none", "slerp")


@pytest.mark.parametrize("name", NAMES)
def test_decoded_motion_is_of_rotations_and_continuous(name: str) -> None:
    """Between frames too."""
    prior = _made(name)
    assert isinstance(prior, MotionPrior)
    latent = 0.2 * torch.randn(2, prior.latent_size)
    times = torch.linspace(0.0, 0.99, 41)
    made = prior.decode(latent, times)
    torch.testing.assert_close(made @ made.mT, torch.eye(3).expand_as(made), atol=1e-5, rtol=0.0)
    near = (prior.decode(latent, times + 1e-4) - made).abs().max()
    far = (prior.decode(latent, times + 2e-3) - made).abs().max()
    assert near < 0.3 * far


@pytest.mark.parametrize("name", NAMES)
def test_tangents_are_the_derivative(name: str) -> None:
    """Along a random direction, against a central difference."""
    prior = _made(name)
    latent, direction = 0.2 * torch.randn(2, prior.latent_size)
    times = torch.linspace(0.01, 0.9, 7)
    local, turns = prior.tangents(latent, times)
    torch.testing.assert_close(local, prior.decode(latent[None], times)[0])
    ahead, behind = (prior.decode((latent + s * direction)[None], times)[0] for s in (1e-2, -1e-2))
    wanted = vee((ahead - behind) / 2e-2 @ local.mT)
    scale = float(wanted.abs().max())
    torch.testing.assert_close(turns @ direction, wanted, atol=0.02 * scale, rtol=0.02)


@pytest.mark.parametrize("name", ["none", "gmm"])
def test_splines_come_back(name: str) -> None:
    """Encoding what was decoded gives the control points, but for the one beyond the clip."""
    prior = _made(name)
    latent = 0.3 * torch.randn(1, prior.latent_size)
    back = prior.encode(prior.decode(latent, frame_times()), ALL)
    torch.testing.assert_close(back[:, : 33 * 22], latent[:, : 33 * 22], atol=5e-2, rtol=0.0)


def test_pca_leaves_out_what_was_not_seen() -> None:
    """Garbage in unseen frames changes nothing; with nothing seen the latent is its mean, zero."""
    prior = _made("pca")
    truth = prior.decode(torch.randn(1, 9), frame_times())
    seen = ALL.clone()
    seen[:, 40:80] = False
    garbage = truth.clone()
    garbage[:, 40:80] = torch.eye(3)
    torch.testing.assert_close(prior.encode(truth, seen), prior.encode(garbage, seen))
    torch.testing.assert_close(prior.encode(truth, ~ALL), torch.zeros(1, 9))


def test_pca_sees_through_a_gap() -> None:
    """A motion of the prior with a hole in it comes back whole."""
    prior = _made("pca")
    latent = torch.randn(1, 9)
    seen = ALL.clone()
    seen[:, 40:80] = False
    back = prior.encode(prior.decode(latent, frame_times()), seen)
    torch.testing.assert_close(back, latent, atol=0.1, rtol=0.05)


def test_energies_are_what_they_say() -> None:
    """Half squared norms, bending of the spline, the better of two Gaussians."""
    z = torch.randn(3, 9)
    torch.testing.assert_close(_made("pca").energy(z), 0.5 * z.square().sum(1))
    line = torch.arange(35.0)[:, None] * torch.linspace(0.0, 0.1, 22)
    torch.testing.assert_close(NoPrior().energy(line.reshape(1, -1)), torch.zeros(1))
    bent = torch.zeros(35, 22)
    bent[10, 0] = BEND_STD
    torch.testing.assert_close(NoPrior().energy(bent.reshape(1, -1)), torch.tensor([3.0]))
    ones = _gmm().energy(torch.ones(1, 770))
    torch.testing.assert_close(ones, _gmm().energy(torch.zeros(1, 770)))
    assert _gmm().energy(0.5 * torch.ones(1, 770)) > ones


@pytest.mark.parametrize("name", NAMES)
def test_curvature_is_the_second_derivative_of_the_energy(name: str) -> None:
    """Along a random direction, by differences of the gradient."""
    prior = _made(name)
    latent, direction = torch.randn(2, prior.latent_size)
    ahead, behind = (
        torch.func.grad(lambda z: prior.energy(z[None])[0])(latent + s * direction)
        for s in (1e-2, -1e-2)
    )
    wanted = (ahead - behind) / 2e-2
    scale = float(wanted.abs().max()) + 1e-3
    found = prior.curvature(latent) @ direction
    torch.testing.assert_close(found, wanted, atol=1e-2 * scale, rtol=1e-2)


def test_rest_pose_is_the_origin_of_splines() -> None:
    """And one everyday spread is a step of one."""
    chain = HandChain(builtin_hand().with_shape())
    made = NoPrior().decode(torch.zeros(1, 770), torch.tensor([0.5]))
    rest = chain.rotations_from_angles(torch.as_tensor(REST_RAD).float())
    torch.testing.assert_close(made[0, 0], rest)
    made = NoPrior().decode(torch.ones(1, 770), torch.tensor([0.5]))
    spread = chain.rotations_from_angles(torch.as_tensor(REST_RAD + STD_RAD).float())
    torch.testing.assert_close(made[0, 0], spread, atol=1e-5, rtol=1e-5)


def test_encoder_is_told_of_gaps() -> None:
    """The same motion gives another latent where frames were not seen."""
    prior = _made("hmp")
    assert isinstance(prior, HmpPrior)
    motion = torch.eye(3).expand(1, FRAMES, 15, 3, 3)
    seen = ALL.clone()
    seen[:, 30:90] = False
    assert (prior.encode(motion, ALL) - prior.encode(motion, seen)).abs().max() > 1e-4
    mean, std = prior.posterior(motion, seen)
    torch.testing.assert_close(mean, prior.encode(motion, seen))
    assert (std > 0.0).all()


def test_features_of_a_turning_finger() -> None:
    """A finger that turns at a constant rate has that angular velocity and v = w x r."""
    vae = MotionVae(MotionVaeConfig(latent=4, channels=(4,)))
    rate = 1.5
    rotvec = np.zeros((1, FRAMES, 15, 3))
    rotvec[0, :, 0, 2] = rate * np.arange(FRAMES) / 30.0
    features = vae.features(torch.as_tensor(so3.exp(rotvec)).float())[0, 10]
    torch.testing.assert_close(
        features[1:4, 12:], torch.tensor([[0.0, 0.0, rate]] * 3), atol=2e-3, rtol=0.0
    )
    arm = features[2, :3] - features[1, :3]
    wanted = torch.linalg.cross(torch.tensor([0.0, 0.0, rate]), arm)
    torch.testing.assert_close(features[2, 3:6], wanted, atol=1e-4, rtol=2e-3)
    torch.testing.assert_close(features[0, :6], torch.zeros(6))


def test_slerp_fills_gaps_and_holds_at_the_ends() -> None:
    """Halfway in time is halfway in angle, for uneven frames too."""
    times_s = np.array([0.0, 1.0, 2.0, 4.0, 5.0])
    seen = np.array([False, True, False, True, False])
    R = so3.exp(np.array([0.0, 0.3, 9.0, 1.2, 9.0])[:, None] * [[0.0, 0.0, 1.0]])
    angle = so3.log(slerp.filled_rotations(R, seen, times_s))[:, 2]
    np.testing.assert_allclose(angle, [0.3, 0.3, 0.6, 1.2, 1.2], atol=1e-12)
    values = slerp.filled_values(np.array([7.0, 1.0, 7.0, 4.0, 7.0]), seen, times_s)
    np.testing.assert_allclose(values, [1.0, 1.0, 2.0, 4.0, 4.0])


def test_nothing_seen_is_an_error() -> None:
    """As there is nothing to interpolate."""
    with pytest.raises(TrackingError, match="no frame was seen"):
        slerp.neighbours(np.zeros(3, dtype=bool), np.arange(3.0))


def test_unknown_priors_are_named() -> None:
    """With those that there are."""
    with pytest.raises(ConfigError, match="choose one of hmp, pca"):
        load_prior("magic")
