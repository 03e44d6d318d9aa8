"""Skeleton-aware convolution and pooling over the edges of the hand's tree.

Aberman et al., "Skeleton-aware networks for deep motion retargeting", SIGGRAPH 2020, as NeMF's
local encoder uses them. A channel block belongs to an edge; a convolution over time mixes an edge
with those at most so many edges away, and pooling joins two edges of a finger into one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from hand4d_ros.shapes import Float

Edges = tuple[tuple[int, int], ...]
"""Pairs of parent and child joint."""


def edges_from_parents(parents: Sequence[int]) -> Edges:
    """Return the edges of a tree, after one from the root to a joint that is not there.

    The extra edge carries the root's own features, so there is one edge for every joint.
    """
    return ((0, len(parents)), *((parents[i], i) for i in range(1, len(parents))))


def near_edges(edges: Edges, distance: int) -> tuple[tuple[int, ...], ...]:
    """Return for each edge those that so many steps reach; a step goes over a shared joint."""
    reach = []
    for start in range(len(edges)):
        found = {start}
        for _ in range(distance):
            joints = {joint for edge in found for joint in edges[edge]}
            found |= {i for i, edge in enumerate(edges) if joints & set(edge)}
        reach.append(tuple(sorted(found)))
    return tuple(reach)


def pooled_edges(edges: Edges) -> tuple[tuple[tuple[int, ...], ...], Edges]:
    """Join the edges of each chain in pairs, from its end inwards.

    Returns:
        The old edges of each new one, and the new ones.
    """
    groups: list[tuple[int, ...]] = []
    for start in [i for i, edge in enumerate(edges) if edge[0] == 0]:
        chain = [start]
        while following := [i for i, edge in enumerate(edges) if edge[0] == edges[chain[-1]][1]]:
            chain.append(following[0])
        odd = len(chain) % 2
        groups += [(chain[0],)] * odd
        groups += [(chain[i], chain[i + 1]) for i in range(odd, len(chain), 2)]
    return tuple(groups), tuple((edges[group[0]][0], edges[group[-1]][1]) for group in groups)


class SkeletonConv(nn.Module):
    """A convolution over time whose weights between edges far apart are zero."""

    mask: Tensor

    def __init__(
        self, near: Sequence[Sequence[int]], inputs: int, outputs: int, kernel: int, padding: int
    ) -> None:
        """Make a convolution of stride 2.

        Args:
            near: For each edge those that it sees.
            inputs: Channels of an edge.
            outputs: Channels of an edge.
            kernel: Its length in time.
            padding: Reflected frames on both sides.
        """
        super().__init__()
        edges = len(near)
        mask = torch.zeros(edges, outputs, edges, inputs, 1)
        for edge, seen in enumerate(near):
            mask[edge, :, list(seen)] = 1.0
        mask = mask.reshape(edges * outputs, edges * inputs, 1)
        self.register_buffer("mask", mask, persistent=False)
        fan_in = mask.sum(1, keepdim=True) * kernel
        weight = torch.empty(edges * outputs, edges * inputs, kernel).uniform_(-1.0, 1.0)
        self.weight = nn.Parameter(weight * mask / fan_in.sqrt())
        self.bias = nn.Parameter(torch.zeros(edges * outputs))
        self._padding = padding

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b d u"]:
        """Return half as many frames."""
        padded = functional.pad(x, (self._padding, self._padding), mode="reflect")
        return functional.conv1d(padded, self.weight * self.mask, self.bias, stride=2)


class SkeletonPool(nn.Module):
    """The mean of the edges that become one."""

    weight: Tensor

    def __init__(self, groups: Sequence[Sequence[int]], edges: int, channels: int) -> None:
        """Note what to join.

        Args:
            groups: The old edges of each new one.
            edges: How many old ones there are.
            channels: Of an edge.
        """
        super().__init__()
        join = torch.zeros(len(groups), edges)
        for row, group in enumerate(groups):
            join[row, list(group)] = 1.0 / len(group)
        weight = torch.kron(join, torch.eye(channels))
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b d t"]:
        """Return the joined channels."""
        return self.weight @ x


class SkeletonResidual(nn.Module):
    """Convolution with norm, plus a straight path, then pooling where it pools, then tanh."""

    def __init__(self, edges: Edges, distance: int, inputs: int, outputs: int, kernel: int) -> None:
        """Make one layer of the encoder.

        Args:
            edges: Of the tree at this layer.
            distance: How far an edge sees.
            inputs: Channels of an edge.
            outputs: Channels of an edge.
            kernel: Length in time.
        """
        super().__init__()
        near = near_edges(edges, distance)
        self.residual = nn.Sequential(
            SkeletonConv(near, inputs, outputs, kernel, (kernel - 1) // 2),
            nn.GroupNorm(4, len(edges) * outputs),
        )
        self.shortcut = SkeletonConv(near, inputs, outputs, 1, 0)
        groups, self.pooled = pooled_edges(edges)
        pools = len(groups) != len(edges)
        pool = [SkeletonPool(groups, len(edges), outputs)] if pools else []
        self.common = nn.Sequential(*pool, nn.Tanh())

    def forward(self, x: Float[Tensor, "b c t"]) -> Float[Tensor, "b d u"]:
        """Return half as many frames of the pooled edges."""
        result: Tensor = self.common(self.residual(x) + self.shortcut(x))
        return result
