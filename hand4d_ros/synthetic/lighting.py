"""Lights, and where they do not reach: shadows and ambient occlusion.

Shadows use one map per picture: everything is pushed along the light onto a horizontal plane
(the table), and each cell keeps the greatest height above it. A point is in shadow where the map
is higher than the point itself. On the plane that is a plain picture of the shadow, which is
blurred by the distance of what casts it. Softening is percentage-closer filtering (Reeves,
Salesin and Cook, SIGGRAPH 1987) on fixed taps. Occlusion is that of spheres (Quilez, "Sphere
ambient occlusion", 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hand4d_ros.shapes import Array, Float, Int
from hand4d_ros.synthetic import raster
from hand4d_ros.synthetic.surface import Packed

_LIFT_M = 1.0
_MARGIN_M = 0.12
_NORMAL_OFFSET_M = 0.004
_BIAS_M = 0.003
_PENUMBRA_M = 0.12
_COARSE = 3
_CROWDING = 1.4
"""Factor on occlusion: the hand is fuller than the spheres that stand for it."""
_TAPS = 8
_AO_CELLS = 72


@dataclass(frozen=True)
class Lighting:
    """Light of one picture; colours are linear RGB irradiance."""

    to_key: Float[Array, "3"]
    """Unit vector towards the key light, in the world; z must be above 0.3."""
    key: Float[Array, "3"]
    to_fill: Float[Array, "3"]
    fill: Float[Array, "3"]
    sky: Float[Array, "3"]
    """Ambient light from above."""
    ground: Float[Array, "3"]
    """Ambient light from below: what the table throws back."""


@dataclass(frozen=True)
class Lights:
    """The lighting of all pictures on the device, each (b, 3)."""

    to_key: torch.Tensor
    key: torch.Tensor
    to_fill: torch.Tensor
    fill: torch.Tensor
    sky: torch.Tensor
    ground: torch.Tensor


def stacked(lightings: Sequence[Lighting], device: torch.device) -> Lights:
    """Upload the lighting of several pictures."""
    names = ("to_key", "key", "to_fill", "fill", "sky", "ground")
    rows = (np.stack([getattr(x, name) for x in lightings]) for name in names)
    return Lights(*(torch.tensor(r, dtype=torch.float32, device=device) for r in rows))


def sampled_lighting(rng: np.random.Generator) -> Lighting:
    """Draw the light of a room: a window or lamp from above, a dim fill, and the walls."""
    heading, elevation = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(35, 80))
    warmth = rng.uniform(-1.0, 1.0)
    tint = np.array([1.0 + 0.12 * warmth, 1.0, 1.0 - 0.16 * warmth])
    share = rng.uniform(0.5, 0.85)
    sky = tint[::-1] * (1.0 - share) * rng.uniform(0.75, 1.05)
    opposite = heading + np.pi + rng.uniform(-0.8, 0.8)
    return Lighting(
        _direction(heading, elevation),
        tint * share * 1.6,
        _direction(opposite, np.deg2rad(rng.uniform(10, 45))),
        tint * rng.uniform(0.05, 0.25),
        sky,
        sky * rng.uniform(0.3, 0.7),
    )


def _direction(heading: float, elevation: float) -> Float[Array, "3"]:
    flat = np.cos(elevation)
    return np.array([flat * np.cos(heading), flat * np.sin(heading), np.sin(elevation)])


@dataclass(frozen=True)
class LightMap:
    """Heights above the plane as the key light sees them, one map per picture."""

    heights_m: Float[torch.Tensor, "b s s"]
    """0 where the plane itself is lit."""
    origin_m: Float[torch.Tensor, "b 2"]
    """Position of the first cell on the plane."""
    cells_per_m: Float[torch.Tensor, " b"]
    plane_m: Float[torch.Tensor, " b"]
    """Height of the plane in the world."""
    slope: Float[torch.Tensor, "b 2"]
    """How far along the plane the light moves per metre of height."""


def light_map(
    mesh: Packed,
    lights: Lights,
    plane_m: Float[torch.Tensor, " b"],
    spheres: Float[torch.Tensor, "b k 4"],
    cells: int,
) -> LightMap:
    """Draw the height map of every picture.

    Args:
        mesh: What throws shadows.
        lights: The lights.
        plane_m: Height of the plane in each picture.
        spheres: Hands and things as spheres, which say how large the map must be.
        cells: Along each edge of the map.
    """
    images = len(plane_m)
    slope = lights.to_key[:, :2] / lights.to_key[:, 2:]
    height = mesh.vertices_m[:, 2] - plane_m[mesh.vertex_image]
    foot = mesh.vertices_m[:, :2] - slope[mesh.vertex_image] * height[:, None]
    rise = (spheres[..., 2] - plane_m[:, None])[..., None]
    feet = spheres[..., :2] - slope[:, None] * rise
    real = (spheres[..., 3] > 0)[..., None]
    low = torch.where(real, feet, torch.inf).amin(1).clamp(-1e3, 1e3)
    high = torch.where(real, feet, -torch.inf).amax(1).clamp(-1e3, 1e3)
    span = (high - low).amax(-1).clamp(min=0.1, max=1.4) + 2 * _MARGIN_M
    origin = 0.5 * (low + high) - 0.5 * span[:, None]
    scale = (cells - 1) / span
    cell = (foot - origin[mesh.vertex_image]) * scale[mesh.vertex_image][:, None]
    found = raster.rasterize(
        cell,
        height + _LIFT_M,
        mesh.faces,
        mesh.face_image,
        (images, cells, cells),
        perspective=False,
    )
    flat = foot.new_zeros(images * cells * cells)
    flat[found.pixel] = (found.nearness - _LIFT_M).clamp(min=0.0)
    return LightMap(flat.reshape(images, cells, cells), origin, scale, plane_m, slope)


def lit_share(
    light: LightMap,
    to_key: Float[torch.Tensor, "b 3"],
    image: Int[torch.Tensor, " n"],
    points_m: Float[torch.Tensor, "n 3"],
    normals: Float[torch.Tensor, "n 3"],
) -> Float[torch.Tensor, " n"]:
    """Return how much of the key light reaches points of surfaces, 0..1."""
    points = points_m + _NORMAL_OFFSET_M * normals
    height = points[:, 2] - light.plane_m[image]
    foot = points[:, :2] - light.slope[image] * height[:, None]
    cell = (foot - light.origin_m[image]) * light.cells_per_m[image][:, None]
    cells = light.heights_m.shape[-1]
    flat = light.heights_m.reshape(-1)
    base = image * (cells * cells)
    blocked = torch.zeros_like(height)
    for tap in range(_TAPS):
        # Taps on a sunflower spiral cover a disc of three cells evenly.
        radius, angle = 3.0 * float(np.sqrt((tap + 0.5) / _TAPS)), 2.39996 * tap
        shift = cell.new_tensor([radius * np.cos(angle), radius * np.sin(angle)])
        place = (cell + shift + 0.5).long().clamp(0, cells - 1)
        over = flat[base + place[:, 1] * cells + place[:, 0]]
        blocked += ((over - height - _BIAS_M) * 150.0).clamp(0.0, 1.0)
    # Where light only grazes, the map is too coarse, and next to no light arrives anyway.
    grazing = (normals * to_key[image]).sum(-1)
    return (1.0 - blocked / _TAPS) * ((grazing + 0.1) * 3.0).clamp(0.0, 1.0)


def plane_maps(
    light: LightMap, spheres: Float[torch.Tensor, "b k 4"]
) -> Float[torch.Tensor, "b 2 s s"]:
    """Return what reaches the plane, on the cells of the map: key light and ambient light."""
    heights = light.heights_m[:, None]
    mask = (heights > 1e-4).float()
    near = _blurred(mask, 2)
    # What is far above the plane throws a soft shadow, which needs few cells.
    coarse = torch.nn.functional.avg_pool2d(torch.cat((mask, heights * mask), 1), _COARSE)
    coarse = _blurred(_blurred(coarse, 2), 2)
    far = torch.nn.functional.interpolate(
        coarse, scale_factor=_COARSE, mode="bilinear", align_corners=False
    )
    height = far[:, 1:] / far[:, :1].clamp(min=1e-4)
    share = (height / _PENUMBRA_M).clamp(max=1.0)
    lit = 1.0 - ((1.0 - share) * near + share * far[:, :1])
    size = heights.shape[-1]
    steps = torch.linspace(0, size - 1, _AO_CELLS, device=heights.device)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    cells = torch.stack((x, y), -1).reshape(1, -1, 2) / light.cells_per_m[:, None, None]
    plane = light.plane_m[:, None, None].expand(-1, cells.shape[1], 1)
    points = torch.cat((cells + light.origin_m[:, None], plane), -1)
    up = torch.zeros_like(points)
    up[..., 2] = 1.0
    open_sky = sphere_openness(points, up, spheres).reshape(-1, 1, _AO_CELLS, _AO_CELLS)
    ambient = torch.nn.functional.interpolate(
        open_sky, size=(size, size), mode="bilinear", align_corners=True
    )
    return torch.cat((lit, ambient), 1)


def _blurred(picture: torch.Tensor, radius: int) -> torch.Tensor:
    """Blur by a box along both axes."""
    size = 2 * radius + 1
    for kernel, pad in (((1, size), (0, radius)), ((size, 1), (radius, 0))):
        picture = torch.nn.functional.avg_pool2d(picture, kernel, stride=1, padding=pad)
    return picture


def sphere_openness(
    points_m: Float[torch.Tensor, "b n 3"],
    normals: Float[torch.Tensor, "b n 3"],
    spheres: Float[torch.Tensor, "b k 4"],
) -> Float[torch.Tensor, "b n"]:
    """Return the share of ambient light that spheres leave, 0..1.

    A sphere of radius r at distance d under the angle a from the normal takes cos(a) (r/d)^2.

    Args:
        points_m: Points on surfaces.
        normals: Their normals.
        spheres: Centre and radius (m); radius 0 does nothing.
    """
    # Squares of distances by products of matrices lose digits far from the origin.
    origin = spheres[:, :1, :3]
    points, centres = points_m - origin, spheres[..., :3] - origin
    radius2 = (spheres[..., 3] ** 2)[:, None]
    towards = points @ centres.transpose(1, 2)
    square = (points * points).sum(-1)[..., None] - 2.0 * towards
    square = square + (centres * centres).sum(-1)[:, None]
    lift = normals @ centres.transpose(1, 2) - (normals * points).sum(-1)[..., None]
    # Inside of a sphere, where d < r, the share stays that of its surface.
    square = torch.maximum(square, radius2).clamp(min=1e-8)
    taken = lift.clamp(min=0.0) * (radius2 / (square * torch.sqrt(square)))
    return torch.exp(-_CROWDING * taken.sum(-1))
