"""What the renderer draws: surfaces with a look, and many of them packed for one pass.

Everything that a vertex carries is linear RGB or a plain factor; nothing depends on the pose,
so a surface is uploaded once and drawn in every frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hand4d_ros.shapes import Array, Float, Int

LOOK_CHANNELS = 12
"""Albedo (3), specular, gloss, scatter, mottle, nail distance (mm), facing, texture (3)."""
HAND_TEXTURE_M = 0.06
"""Length of a unit of the texture coordinates of hands."""
NO_NAIL_MM = -99.0
"""Nail distance of what has no nails; positive is inside a nail."""


@dataclass(frozen=True)
class Look:
    """How the vertices of a mesh look."""

    albedo: Float[Array, "v 3"]
    """Diffuse reflectance, linear RGB."""
    specular: Float[Array, " v"]
    """Reflectance straight on; 0.028 is skin, 0.04 is plastic."""
    gloss: Float[Array, " v"]
    """Exponent of the highlight; larger is smoother."""
    scatter: Float[Array, " v"]
    """How far light bleeds under the surface, 0 for none, 1 for skin."""
    mottle: Float[Array, " v"]
    """Amplitude of the noise on the albedo."""
    nail_mm: Float[Array, " v"]
    """Signed distance to the rim of a fingernail (mm), positive inside."""
    facing: Float[Array, " v"]
    """1 on the palm, -1 on the back of a hand, 0 where there are no creases of the skin."""
    texture: Float[Array, "v 3"]
    """Coordinates in the noise volume, one period per unit; of hands, rest pose in units of
    ``HAND_TEXTURE_M`` in the axes of a right hand about the wrist."""

    @staticmethod
    def plain(
        albedo: Float[Array, "v 3"],
        texture: Float[Array, "v 3"],
        *,
        specular: float = 0.04,
        gloss: float = 30.0,
        scatter: float = 0.0,
        mottle: float = 0.1,
    ) -> Look:
        """Make the look of a thing of one material and any colours."""
        full = np.ones(len(albedo))
        return Look(
            albedo,
            full * specular,
            full * gloss,
            full * scatter,
            full * mottle,
            full * NO_NAIL_MM,
            0 * full,
            texture,
        )


@dataclass(frozen=True)
class Surface:
    """Topology and look of one mesh on the device."""

    faces: Int[torch.Tensor, "f 3"]
    vertex_faces: Int[torch.Tensor, "v k"]
    """Faces about each vertex, padded with f."""
    look: Float[torch.Tensor, "v c"]


def surface(faces: Int[Array, "f 3"], look: Look, device: torch.device) -> Surface:
    """Upload a mesh's topology and look."""
    columns = (
        look.albedo,
        look.specular[:, None],
        look.gloss[:, None],
        look.scatter[:, None],
        look.mottle[:, None],
        look.nail_mm[:, None],
        look.facing[:, None],
        look.texture,
    )
    return Surface(
        torch.tensor(np.ascontiguousarray(faces), dtype=torch.int64, device=device),
        torch.tensor(_vertex_faces(faces, len(look.albedo)), device=device),
        torch.tensor(np.concatenate(columns, -1), dtype=torch.float32, device=device),
    )


def _vertex_faces(faces: Int[Array, "f 3"], vertices: int) -> Int[Array, "v k"]:
    """List the faces about each vertex, padded with the number of faces."""
    corner = faces.ravel()
    order = np.argsort(corner, kind="stable")
    count = np.bincount(corner, minlength=vertices)
    start = np.cumsum(count) - count
    table = np.full((vertices, max(1, int(count.max(initial=1)))), len(faces), dtype=np.int64)
    place = np.arange(len(corner)) - start[corner[order]]
    table[corner[order], place] = order // 3
    return table


@dataclass(frozen=True)
class Part:
    """One surface in one picture at one instant."""

    surface: Surface
    vertices_m: Float[Array, "v 3"]
    """In the world."""


@dataclass(frozen=True)
class Packed:
    """All parts of all pictures, one after the other."""

    vertices_m: Float[torch.Tensor, "v 3"]
    normals: Float[torch.Tensor, "v 3"]
    look: Float[torch.Tensor, "v c"]
    faces: Int[torch.Tensor, "f 3"]
    vertex_image: Int[torch.Tensor, " v"]
    face_image: Int[torch.Tensor, " f"]
    face_part: Int[torch.Tensor, " f"]
    """Counts all parts of all pictures."""
    first_part: Int[torch.Tensor, " b"]
    """Number of the first part of each picture."""


def packed(pictures: Sequence[Sequence[Part]], device: torch.device) -> Packed:
    """Put the parts of several pictures into one set of arrays."""
    parts = [(i, part) for i, parts in enumerate(pictures) for part in parts]
    if not parts:
        nothing = Part(surface(np.zeros((0, 3), int), _no_look(), device), np.zeros((0, 3)))
        parts = [(0, nothing)]
    sizes = [len(p.vertices_m) for _, p in parts]
    counts = [len(p.surface.faces) for _, p in parts]
    starts = np.cumsum([0, *sizes[:-1]]).tolist()
    image = torch.tensor([i for i, _ in parts], device=device)
    by_vertex = torch.tensor(sizes, device=device)
    by_face = torch.tensor(counts, device=device)
    vertices = np.concatenate([p.vertices_m for _, p in parts]).astype(np.float32)
    vertices_m = torch.from_numpy(vertices).to(device)
    pieces = torch.split(vertices_m, sizes)
    return Packed(
        vertices_m,
        torch.cat([_normals(v, p.surface) for v, (_, p) in zip(pieces, parts, strict=True)]),
        torch.cat([p.surface.look for _, p in parts]),
        torch.cat([p.surface.faces + start for start, (_, p) in zip(starts, parts, strict=True)]),
        image.repeat_interleave(by_vertex),
        image.repeat_interleave(by_face),
        torch.arange(len(parts), device=device).repeat_interleave(by_face),
        torch.tensor(np.cumsum([0, *(len(p) for p in pictures)])[:-1], device=device),
    )


def _no_look() -> Look:
    return Look.plain(np.zeros((0, 3)), np.zeros((0, 3)))


def _normals(vertices_m: torch.Tensor, mesh: Surface) -> torch.Tensor:
    """Average the faces about each vertex by their area.

    Sums run over a table of neighbours in a fixed order, so they are bit-equal on every device.
    """
    if len(vertices_m) == 0:
        return vertices_m
    corners = vertices_m[mesh.faces]
    face = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    face = torch.cat((face, face.new_zeros(1, 3)))
    return torch.nn.functional.normalize(face[mesh.vertex_faces].sum(1), dim=-1)
