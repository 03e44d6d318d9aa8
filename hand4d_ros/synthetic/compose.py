"""Puts shaded meshes over the background, smoothing edges by samples within each pixel.

Every pixel has 2x2 samples of which triangle is nearest. Where all of them lie on one smooth
piece of one part, one is shaded for the pixel; elsewhere each is shaded.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hand4d_ros.shapes import Float, Int
from hand4d_ros.synthetic import lighting, raster, shading
from hand4d_ros.synthetic.surface import Packed

SAMPLES = 2
"""Samples along each edge of a pixel."""
_SMOOTH_M = 0.004


@dataclass(frozen=True)
class Drawing:
    """All that shading needs to know about one batch of pictures."""

    mesh: Packed
    lights: lighting.Lights
    light_map: lighting.LightMap
    spheres: Float[torch.Tensor, "b k 4"]
    eye_m: Float[torch.Tensor, "b 3"]
    rays: Float[torch.Tensor, "b h w 3"]
    """In the world, with 1 along the optical axis."""
    patterns: shading.Patterns

    def over(
        self,
        colour: Float[torch.Tensor, "b h w 3"],
        depth_m: Float[torch.Tensor, "b h w"],
        found: raster.Fragments,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Draw the fragments over a background.

        Args:
            colour: The background, linear RGB.
            depth_m: Its depth along the optical axis.
            found: What is nearest in every sample.

        Returns:
            Linear RGB, depth (m), and the part at each pixel (-1 for none).
        """
        shape = depth_m.shape
        colour, depth_m = colour.reshape(-1, 3).clone(), depth_m.reshape(-1).clone()
        part = torch.full_like(depth_m, -1, dtype=torch.int64)
        samples = _samples(found, depth_m)
        pixel, table = samples.pixel, samples.table
        face_part = self.mesh.face_part[found.face]
        first = table[:, 0]
        known = table >= 0
        same = (face_part[table] == face_part[first][:, None]).all(-1)
        depth = samples.depth_m
        spread = depth[table].amax(-1) - depth[table].amin(-1)
        smooth = known.all(-1) & same & (spread < _SMOOTH_M)
        mixed = ~smooth
        one, every = first[smooth], table[mixed][known[mixed]]
        shades = self._shades(found, torch.cat((one, every)), depth)
        colour[pixel[smooth]] = shades[: len(one)]
        each = shades.new_zeros((int(mixed.sum()), SAMPLES**2, 3))
        each[known[mixed]] = shades[len(one) :]
        cover = known[mixed].float().mean(-1, keepdim=True)
        behind = colour[pixel[mixed]]
        colour[pixel[mixed]] = each.mean(1) + (1.0 - cover) * behind
        # The last sample is the one at the lower right; any fixed choice would do.
        chosen = table.amax(-1)
        depth_m[pixel] = depth[chosen]
        part[pixel] = face_part[chosen] - self.mesh.first_part[found.image(chosen)]
        return colour.reshape(*shape, 3), depth_m.reshape(shape), part.reshape(shape)

    def _shades(
        self, found: raster.Fragments, which: Int[torch.Tensor, " n"], depth_m: torch.Tensor
    ) -> torch.Tensor:
        """Shade some fragments."""
        _, height, width = self.rays.shape[:3]
        pixel = _pixel_of(found.pixel[which], (height, width))[0]
        image = torch.div(pixel, height * width, rounding_mode="floor")
        ray = self.rays.reshape(-1, 3)[pixel]
        position = self.eye_m[image] + ray * depth_m[which, None]
        mesh = self.mesh
        open_at_vertices = self._openness()
        carried = torch.cat((mesh.look, mesh.normals, open_at_vertices[:, None]), -1)
        mixed = found.interpolate(which, carried, mesh.faces)
        looks = mesh.look.shape[1]
        normal = torch.nn.functional.normalize(mixed[:, looks : looks + 3], dim=-1)
        points = shading.Points(
            image,
            position,
            normal,
            torch.nn.functional.normalize(-ray, dim=-1),
            mixed[:, :looks],
            lighting.lit_share(self.light_map, self.lights.to_key, image, position, normal),
            mixed[:, -1],
        )
        return shading.shaded(points, self.lights, self.patterns)

    def _openness(self) -> Float[torch.Tensor, " v"]:
        """Ambient light at the vertices of each picture."""
        mesh = self.mesh
        pieces = []
        for image in range(len(self.eye_m)):
            own = mesh.vertex_image == image
            pieces.append(
                lighting.sphere_openness(
                    mesh.vertices_m[own][None], mesh.normals[own][None], self.spheres[image][None]
                )[0]
            )
        # Vertices are packed picture by picture, so the pieces are in the right order.
        return torch.cat(pieces)


@dataclass(frozen=True)
class _Samples:
    pixel: torch.Tensor
    """(p,) flat index of each pixel that has a fragment in front of the background."""
    table: torch.Tensor
    """(p, samples) fragment of each sample, -1 for none."""
    depth_m: torch.Tensor
    """(n,) of all fragments."""


def _samples(found: raster.Fragments, background_m: torch.Tensor) -> _Samples:
    """Group fragments by pixel, leaving out those behind the background."""
    _, height, width = found.shape
    pixel, sample = _pixel_of(found.pixel, (height // SAMPLES, width // SAMPLES))
    depth_m = 1.0 / found.nearness
    front = torch.nonzero(depth_m <= background_m[pixel]).squeeze(-1)
    touched = torch.zeros_like(background_m, dtype=torch.bool)
    touched[pixel[front]] = True
    place = torch.cumsum(touched, 0) - 1
    pixels = torch.nonzero(touched).squeeze(-1)
    table = torch.full((len(pixels), SAMPLES**2), -1, dtype=torch.int64, device=found.pixel.device)
    table[place[pixel[front]], sample[front]] = front
    return _Samples(pixels, table, depth_m)


def _pixel_of(
    sample_pixel: torch.Tensor, size: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pixel and number within it of samples given by their index in the fine picture."""
    width = size[1]
    fine = width * SAMPLES
    row = torch.div(sample_pixel, fine, rounding_mode="floor")
    column = sample_pixel - row * fine
    coarse_row = torch.div(row, SAMPLES, rounding_mode="floor")
    coarse_column = torch.div(column, SAMPLES, rounding_mode="floor")
    number = (row - coarse_row * SAMPLES) * SAMPLES + column - coarse_column * SAMPLES
    # Pictures follow each other without a gap in both, as both heights are whole multiples.
    return coarse_row * width + coarse_column, number
