"""Triangle rasterisation in plain torch: any device, bounded memory, bit-equal when repeated.

Every triangle is expanded to the rows of its bounding box and every row to the pixels where no
barycentric coordinate is negative; the nearest triangle wins each pixel through one
scatter-reduction of an integer that holds depth and triangle. Integers make the result
independent of the order of threads. Barycentric coordinates are affine functions of the pixel,
as in Pineda, "A parallel algorithm for polygon rasterization", SIGGRAPH 1988.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from hand4d_ros.shapes import Float, Int

_EDGE_SLACK_PX = 1e-3
"""Triangles are this much wider, so that rounding opens no cracks along edges they share."""
_ROW_MASK = 0xFFFFFFFF
_CHUNK_FRAGMENTS = 6_000_000


@dataclass(frozen=True)
class Fragments:
    """What is nearest in every covered pixel, sorted by pixel."""

    shape: tuple[int, int, int]
    """Images, height and width of the picture that the fragments belong to."""
    pixel: Int[torch.Tensor, " n"]
    """Flat index into (image, row, column)."""
    face: Int[torch.Tensor, " n"]
    """Index of the triangle."""
    nearness: Float[torch.Tensor, " n"]
    """The interpolated quantity that decided: 1 / depth, or height in a parallel projection."""
    row: Int[torch.Tensor, " n"]
    """Index of the triangle among those set up."""
    triangles: _Triangles

    def depth(self) -> Float[torch.Tensor, "b h w"]:
        """Return the picture of depths (m), infinite where nothing is; perspective only."""
        flat = torch.full((self._pixels,), torch.inf, device=self.pixel.device)
        flat[self.pixel] = 1.0 / self.nearness
        return flat.reshape(self.shape)

    def face_picture(self) -> Int[torch.Tensor, "b h w"]:
        """Return the picture of triangle indices, -1 where nothing is."""
        flat = torch.full((self._pixels,), -1, dtype=torch.int64, device=self.pixel.device)
        flat[self.pixel] = self.face
        return flat.reshape(self.shape)

    def image(self, which: Int[torch.Tensor, " m"]) -> Int[torch.Tensor, " m"]:
        """Return the picture that some of the fragments belong to."""
        _, height, width = self.shape
        return torch.div(self.pixel[which], height * width, rounding_mode="floor")

    @property
    def _pixels(self) -> int:
        images, height, width = self.shape
        return images * height * width

    def weights(self, which: Int[torch.Tensor, " m"]) -> Float[torch.Tensor, "m 3"]:
        """Return barycentric coordinates of some fragments, on the triangle in space."""
        row, pixel = self.row[which], self.pixel[which]
        weights = self.triangles.barycentric(row, pixel, self.shape)
        if self.triangles.corner_nearness is None:
            return weights
        # What is linear in the picture is linear in space after division by the depth.
        weights = weights * self.triangles.corner_nearness[row]
        return weights / weights.sum(-1, keepdim=True)

    def interpolate(
        self,
        which: Int[torch.Tensor, " m"],
        values: Float[torch.Tensor, "v c"],
        faces: Int[torch.Tensor, "f 3"],
    ) -> Float[torch.Tensor, "m c"]:
        """Interpolate a quantity that is given at the vertices to some fragments."""
        corners = faces[self.face[which]]
        weights = self.weights(which)
        mixed = values.index_select(0, corners[:, 0]) * weights[:, 0:1]
        mixed += values.index_select(0, corners[:, 1]) * weights[:, 1:2]
        mixed += values.index_select(0, corners[:, 2]) * weights[:, 2:3]
        return mixed


def rasterize(
    vertices_px: Float[torch.Tensor, "v 2"],
    nearness: Float[torch.Tensor, " v"],
    faces: Int[torch.Tensor, "f 3"],
    face_image: Int[torch.Tensor, " f"],
    shape: tuple[int, int, int],
    *,
    perspective: bool = True,
    cull: Literal["none", "clockwise"] = "none",
) -> Fragments:
    """Find the nearest triangle of every pixel.

    Args:
        vertices_px: Projected vertices; pixel centres have whole coordinates.
        nearness: Larger is nearer and must be positive: 1 / depth in a perspective picture,
            where it is affine in the pixel; any height in a parallel projection.
        faces: Vertices of each triangle.
        face_image: The picture that each triangle belongs to.
        shape: Images, height and width (px).
        perspective: Whether barycentric coordinates are corrected for perspective.
        cull: Which triangles to leave out, by their turn as the picture shows them.
            Triangles with a vertex whose nearness is not positive are always left out.

    Returns:
        The fragments, the same on every run.
    """
    triangles = _set_up(vertices_px, nearness, faces, face_image, shape, cull, perspective)
    images, height, width = shape
    buffer = torch.zeros(images * height * width, dtype=torch.int64, device=vertices_px.device)
    for start, end in triangles.chunks():
        _draw(triangles, start, end, buffer, shape)
    pixel = torch.nonzero(buffer).squeeze(-1)
    key = buffer[pixel]
    row = key & _ROW_MASK
    near = (key >> 32).to(torch.int32).view(torch.float32)
    return Fragments(shape, pixel, triangles.face[row], near, row, triangles)


@dataclass(frozen=True)
class _Triangles:
    """Triangles that may cover pixels, each with affine functions of the pixel."""

    face: torch.Tensor
    """Index into the faces that were given."""
    first: torch.Tensor
    """(n, 3): picture, row and column of the upper left pixel of the bounding box."""
    size: torch.Tensor
    """(n, 2): width and height of the bounding box (px)."""
    affine: torch.Tensor
    """(n, 9): second and third barycentric coordinate and nearness, as slope along the column,
    slope along the row and value at the first pixel. Starting at the box keeps the digits."""
    corner_nearness: torch.Tensor | None
    """(n, 3) of the vertices in a perspective picture."""

    def chunks(self) -> list[tuple[int, int]]:
        """Split into ranges that expand to no more fragments than the memory bound allows."""
        count = torch.cumsum(self.size[:, 0] * self.size[:, 1], 0)
        if len(count) == 0:
            return []
        part = torch.div(count - 1, _CHUNK_FRAGMENTS, rounding_mode="floor")
        lengths = torch.unique_consecutive(part, return_counts=True)[1]
        ends = torch.cumsum(lengths, 0).tolist()
        return list(zip([0, *ends[:-1]], ends, strict=True))

    def barycentric(
        self, row: torch.Tensor, pixel: torch.Tensor, shape: tuple[int, int, int]
    ) -> torch.Tensor:
        """Evaluate the barycentric coordinates of one triangle per pixel, in the picture."""
        _, height, width = shape
        first, affine = self.first[row], self.affine[row]
        line = torch.div(pixel, width, rounding_mode="floor")
        x = (pixel - line * width - first[:, 2]).float()
        y = (line % height - first[:, 1]).float()
        second = affine[:, 0] * x + affine[:, 1] * y + affine[:, 2]
        third = affine[:, 3] * x + affine[:, 4] * y + affine[:, 5]
        return torch.stack((1.0 - second - third, second, third), -1)


def _set_up(
    vertices_px: torch.Tensor,
    nearness: torch.Tensor,
    faces: torch.Tensor,
    face_image: torch.Tensor,
    shape: tuple[int, int, int],
    cull: Literal["none", "clockwise"],
    perspective: bool,
) -> _Triangles:
    """Drop what covers no pixel and prepare the affine functions of the rest."""
    _, height, width = shape
    corners = vertices_px[faces]
    near = nearness[faces]
    edge1, edge2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    # Rows count downwards, so a positive turn in pixel coordinates looks clockwise.
    area = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]
    limit = vertices_px.new_tensor([width - 1, height - 1])
    low = torch.ceil(corners.amin(1)).clamp(min=0)
    high = torch.minimum(torch.floor(corners.amax(1)), limit)
    keep = (low <= high).all(-1) & (near > 0).all(-1) & torch.isfinite(corners).all(-1).all(-1)
    keep &= area < 0 if cull == "clockwise" else area != 0
    face = torch.nonzero(keep).squeeze(-1)
    low, high, area = low[face], high[face], area[face]
    edge1, edge2, near = edge1[face], edge2[face], near[face]
    offset = low - corners[face, 0]
    slope1 = torch.stack((edge2[:, 1], -edge2[:, 0]), -1) / area[:, None]
    slope2 = torch.stack((-edge1[:, 1], edge1[:, 0]), -1) / area[:, None]
    start1 = (slope1 * offset).sum(-1)
    start2 = (slope2 * offset).sum(-1)
    rise = near[:, 1:] - near[:, :1]
    slope3 = rise[:, :1] * slope1 + rise[:, 1:] * slope2
    start3 = near[:, 0] + rise[:, 0] * start1 + rise[:, 1] * start2
    affine = torch.cat(
        (slope1, start1[:, None], slope2, start2[:, None], slope3, start3[:, None]), -1
    )
    first = torch.cat((face_image[face, None], low.flip(-1).long()), -1)
    size = (high - low).long() + 1
    return _Triangles(face, first, size, affine, near if perspective else None)


def _draw(
    triangles: _Triangles, start: int, end: int, buffer: torch.Tensor, shape: tuple[int, int, int]
) -> None:
    """Expand a range of triangles to rows and rows to pixels, and keep the nearest in each."""
    _, height, width = shape
    size, first, affine = (
        x[start:end] for x in (triangles.size, triangles.first, triangles.affine)
    )
    owner, y = _expanded(size[:, 1])
    row_affine, low, high = _spans(affine[owner], y.float(), size[owner, 0])
    span_row, x = _expanded((high - low).clamp(min=0))
    x += low[span_row]
    begin = (first[:, 0] * height + first[:, 1]) * width + first[:, 2]
    begin = begin[owner] + y * width
    near = row_affine[:, 0][span_row] * x + row_affine[:, 1][span_row]
    ahead = torch.nonzero(near > 0).squeeze(-1)
    if len(ahead) < len(near):
        span_row, x, near = span_row[ahead], x[ahead], near[ahead]
    # The bits of positive floats are ordered like the floats themselves.
    key = (near.view(torch.int32).long() << 32) | (owner + start)[span_row]
    buffer.scatter_reduce_(0, begin[span_row] + x, key, "amax")


def _expanded(count: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Repeat each index by its count; also return the place within its repetitions."""
    owner = torch.repeat_interleave(count)
    begin = torch.cumsum(count, 0) - count
    return owner, torch.arange(len(owner), device=count.device) - begin[owner]


def _spans(
    affine: torch.Tensor, y: torch.Tensor, box_width: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Find which columns of each row of a triangle are inside of it.

    Each barycentric coordinate is affine along the row and must not be negative, so it bounds
    the columns from one side.

    Returns:
        Slope and start of nearness along the row, first column, column after the last.
    """
    slope = torch.stack((affine[:, 0], affine[:, 3], -affine[:, 0] - affine[:, 3]), -1)
    second = affine[:, 1] * y + affine[:, 2]
    third = affine[:, 4] * y + affine[:, 5]
    start = torch.stack((second, third, 1.0 - second - third), -1)
    crossing = -start / slope
    low = torch.where(slope > 0, crossing, -torch.inf).amax(-1) - _EDGE_SLACK_PX
    high = torch.where(slope < 0, crossing, torch.inf).amin(-1) + _EDGE_SLACK_PX
    empty = ((slope == 0) & (start < 0)).any(-1)
    last = (box_width - 1).float()
    first_column = torch.ceil(low).clamp(min=0.0)
    after = torch.floor(torch.minimum(high, last)) + 1.0
    after = torch.where(empty, 0.0, after)
    first_column = torch.minimum(first_column, last + 1.0)
    near = torch.stack((affine[:, 6], affine[:, 7] * y + affine[:, 8]), -1)
    return near, first_column.long(), after.long()
