"""The skeleton-aware layers have the paper's edges, neighbours and masks."""

from __future__ import annotations

import pytest
import torch

from hand4d_ros.hand.orders import MANO_PARENTS
from hand4d_ros.nn.skeleton import (
    SkeletonConv,
    SkeletonPool,
    SkeletonResidual,
    edges_from_parents,
    near_edges,
    pooled_edges,
)

EDGES = edges_from_parents(MANO_PARENTS)


def test_pooling_goes_from_sixteen_edges_over_eleven_to_six_and_stays() -> None:
    """The published layers have 16, 11, 6 and 6 edges."""
    groups, eleven = pooled_edges(EDGES)
    assert len(EDGES) == 16
    assert groups[:3] == ((0,), (1,), (2, 3))
    assert eleven[:3] == ((0, 16), (0, 1), (1, 3))
    _, six = pooled_edges(eleven)
    assert six == ((0, 16), (0, 3), (0, 6), (0, 9), (0, 12), (0, 15))
    assert pooled_edges(six)[1] == six


def test_an_edge_sees_its_own_finger_and_what_touches_the_wrist() -> None:
    """Distance two from the outermost index edge ends at the knuckle, from the knuckle not."""
    near = near_edges(EDGES, 2)
    assert near[3] == (1, 2, 3)
    assert set(near[1]) == {0, 1, 2, 3, 4, 5, 7, 8, 10, 11, 13, 14}
    assert all(edge in near[other] for edge, seen in enumerate(near) for other in seen)


def test_convolution_does_not_mix_far_edges() -> None:
    """The little fingertip cannot hear of the index fingertip."""
    conv = SkeletonConv(near_edges(EDGES, 2), 3, 4, 4, 1)
    x = torch.randn(2, 48, 16, requires_grad=True)
    conv(x)[:, 4 * 9 : 4 * 10].sum().backward()
    gradient = x.grad
    assert gradient is not None
    assert gradient[:, 3 * 9 : 3 * 10].abs().max() > 0.0
    assert gradient[:, 3 * 3 : 3 * 4].abs().max() == 0.0


def test_pool_is_the_mean_of_joined_edges() -> None:
    """Channels stay apart."""
    groups, _ = pooled_edges(EDGES)
    x = torch.randn(1, 32, 5)
    pooled = SkeletonPool(groups, 16, 2)(x)
    assert pooled.shape == (1, 22, 5)
    torch.testing.assert_close(pooled[:, 4:6], 0.5 * (x[:, 4:6] + x[:, 6:8]))


@pytest.mark.parametrize("kernel", [3, 4])
def test_residual_layer_halves_the_frames(kernel: int) -> None:
    """Of the pooled edges."""
    layer = SkeletonResidual(EDGES, 2, 3, 4, kernel)
    assert layer(torch.randn(2, 48, 32)).shape == (2, 44, 16)
