"""Rotations in PyTorch agree with those in numpy and have finite gradients where angles vanish."""

from __future__ import annotations

import numpy as np
import torch

from hand4d_ros.geometry import so3
from hand4d_ros.hand.biomechanics import Anatomy
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.nn.hand_chain import HandChain, local_from_global
from hand4d_ros.nn.rotations import (
    angle_between,
    hat,
    matrix_from_rotvec,
    matrix_from_two_rows,
    two_rows_from_matrix,
    vee,
)

RNG = np.random.default_rng(0)


def test_exponential_agrees_with_numpy() -> None:
    """At random, tiny and zero rotations."""
    rotvec = np.concatenate((RNG.normal(size=(20, 3)), 1e-9 * np.eye(3), np.zeros((1, 3))))
    ours = matrix_from_rotvec(torch.from_numpy(rotvec)).numpy()
    np.testing.assert_allclose(ours, so3.exp(rotvec), atol=1e-12)


def test_exponential_has_a_gradient_at_zero() -> None:
    """Which is the hat map."""
    zero = torch.zeros(3, dtype=torch.float64)
    slope = torch.func.jacfwd(matrix_from_rotvec)(zero)
    torch.testing.assert_close(slope[..., 1], hat(torch.tensor([0.0, 1.0, 0.0]).double()))


def test_two_rows_round_trip() -> None:
    """Also from rows that are not orthonormal: the result is a rotation all the same."""
    R = torch.from_numpy(so3.exp(RNG.normal(size=(9, 3))))
    torch.testing.assert_close(matrix_from_two_rows(two_rows_from_matrix(R)), R)
    wild = matrix_from_two_rows(torch.from_numpy(RNG.normal(size=(9, 6))))
    torch.testing.assert_close(wild @ wild.mT, torch.eye(3).double().expand(9, 3, 3))
    torch.testing.assert_close(torch.linalg.det(wild), torch.ones(9).double())


def test_vee_is_the_inverse_of_hat() -> None:
    """For vectors."""
    v = torch.randn(4, 3)
    torch.testing.assert_close(vee(hat(v)), v)


def test_angle_between_is_the_angle_with_a_finite_gradient() -> None:
    """At zero too."""
    angle = torch.tensor([0.0, 0.3, 3.0], dtype=torch.float64, requires_grad=True)
    R = matrix_from_rotvec(angle[:, None] * torch.tensor([0.6, 0.0, 0.8]).double())
    found = angle_between(R, torch.eye(3).double().expand(3, 3, 3))
    torch.testing.assert_close(found, angle, atol=1e-6, rtol=1e-3)
    (gradient,) = torch.autograd.grad(found.sum(), angle)
    assert torch.isfinite(gradient).all()


def test_chain_agrees_with_the_hand_model() -> None:
    """Angles to rotations, keypoints, and local from global rotations."""
    hand = builtin_hand().with_shape()
    chain = HandChain(hand).double()
    angles = 0.4 * RNG.normal(size=(2, 3, 22))
    local = Anatomy(hand).local_rotations(angles)
    ours = chain.rotations_from_angles(torch.from_numpy(angles))
    np.testing.assert_allclose(ours.numpy(), local, atol=1e-6)
    eye = np.broadcast_to(np.eye(4), (2, 3, 4, 4))
    wanted = hand.keypoints(eye, so3.log(local))
    np.testing.assert_allclose(chain.keypoints(ours).numpy(), wanted, atol=1e-6)
    torch.testing.assert_close(local_from_global(chain.global_rotations(ours)), ours)
