"""What lies behind the meshes: a table that is cast per pixel, and a room far away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hand4d_ros.shapes import Array, Float
from hand4d_ros.synthetic.lighting import LightMap, Lights

_FAR_M = 50.0


@dataclass(frozen=True)
class Table:
    """A rectangle at constant height, in the world."""

    height_m: float
    low_m: tuple[float, float]
    """Corner with the least x and y."""
    high_m: tuple[float, float]
    """Corner with the greatest x and y."""
    period_m: float
    """Edge of the square that the texture covers."""
    heading_rad: float
    """Direction of the texture."""


@dataclass(frozen=True)
class Backdrop:
    """Tables and rooms of all pictures on the device."""

    height_m: Float[torch.Tensor, " b"]
    """NaN where there is no table."""
    low_m: Float[torch.Tensor, "b 2"]
    high_m: Float[torch.Tensor, "b 2"]
    turn: Float[torch.Tensor, "b 2 2"]
    """From world x, y to texture periods."""
    texture: Float[torch.Tensor, "b 3 n n"]
    room: Float[torch.Tensor, "b 3 rows columns"]


def backdrop(
    tables: Sequence[Table | None],
    textures: Float[torch.Tensor, "b 3 n n"],
    rooms: Float[torch.Tensor, "b 3 rows columns"],
) -> Backdrop:
    """Upload the tables of several pictures beside their textures."""
    device = textures.device

    def column(rows: list[object]) -> torch.Tensor:
        return torch.tensor(np.array(rows, dtype=np.float32), device=device)

    nowhere = Table(float("nan"), (0.0, 0.0), (0.0, 0.0), 1.0, 0.0)
    known = [table or nowhere for table in tables]
    turns = [_turn(table) for table in known]
    return Backdrop(
        column([t.height_m for t in known]),
        column([t.low_m for t in known]),
        column([t.high_m for t in known]),
        column(list(turns)),
        textures,
        rooms,
    )


def _turn(table: Table) -> Float[Array, "2 2"]:
    c, s = np.cos(table.heading_rad), np.sin(table.heading_rad)
    return np.array([[c, s], [-s, c]]) / table.period_m


def painted(
    scene: Backdrop,
    rays: Float[torch.Tensor, "b h w 3"],
    eye_m: Float[torch.Tensor, "b 3"],
    lights: Lights,
    light: LightMap,
    plane: Float[torch.Tensor, "b 2 s s"],
) -> tuple[Float[torch.Tensor, "b h w 3"], Float[torch.Tensor, "b h w"]]:
    """Paint the background and say how far away it is.

    Args:
        scene: Tables and rooms.
        rays: Directions in the world whose component along the optical axis is 1.
        eye_m: Positions of the cameras in the world.
        lights: The lights.
        light: Where ``plane`` lies.
        plane: What reaches the table: key light and ambient light.

    Returns:
        Linear RGB, and the depth along the optical axis (m), infinite for the room.
    """
    colour = _room(scene.room, rays)
    down = rays[..., 2]
    reach = (scene.height_m[:, None, None] - eye_m[:, 2, None, None]) / down
    hit = torch.isfinite(reach) & (reach > 0) & (reach < _FAR_M)
    reach = torch.where(hit, reach, 1.0)
    foot = eye_m[:, None, None, :2] + reach[..., None] * rays[..., :2]
    low, high = scene.low_m[:, None, None], scene.high_m[:, None, None]
    inside = torch.minimum(foot - low, high - foot).amin(-1)
    # One pixel covers about this much of the table, which softens its edges.
    width = reach / (0.9 * rays.shape[2])
    cover = torch.where(hit, (inside / width + 0.5).clamp(0.0, 1.0), 0.0)
    top = _table(scene, foot, lights, light, plane)
    colour = colour + cover[..., None] * (top - colour)
    depth = torch.where(cover > 0.5, reach, torch.inf)
    return colour, depth


def _room(
    room: Float[torch.Tensor, "b 3 rows columns"], rays: Float[torch.Tensor, "b h w 3"]
) -> Float[torch.Tensor, "b h w 3"]:
    length = torch.linalg.norm(rays, dim=-1)
    heading = torch.atan2(rays[..., 1], rays[..., 0]) / torch.pi
    grid = torch.stack((heading, -rays[..., 2] / length), -1)
    return _looked_up(room, grid)


def _table(
    scene: Backdrop,
    foot: Float[torch.Tensor, "b h w 2"],
    lights: Lights,
    light: LightMap,
    plane: Float[torch.Tensor, "b 2 s s"],
) -> Float[torch.Tensor, "b h w 3"]:
    where = torch.einsum("bij,bhwj->bhwi", scene.turn, foot)
    albedo = _looked_up(scene.texture, 2.0 * (where - torch.floor(where)) - 1.0)
    cell = (foot - light.origin_m[:, None, None]) * light.cells_per_m[:, None, None, None]
    grid = cell * (2.0 / (plane.shape[-1] - 1)) - 1.0
    reach = torch.nn.functional.grid_sample(
        plane - 1.0, grid, padding_mode="zeros", align_corners=True
    )
    lit, openness = 1.0 + reach[:, 0, ..., None], 1.0 + reach[:, 1, ..., None]
    key = (lights.key * lights.to_key[:, 2:])[:, None, None]
    fill = (lights.fill * lights.to_fill[:, 2:].clamp(min=0.0) + lights.sky)[:, None, None]
    return albedo * (key * lit + fill * openness)


def _looked_up(
    picture: Float[torch.Tensor, "b c n m"], grid: Float[torch.Tensor, "b h w 2"]
) -> Float[torch.Tensor, "b h w c"]:
    found = torch.nn.functional.grid_sample(
        picture, grid, mode="bilinear", padding_mode="border", align_corners=True
    )
    return found.permute(0, 2, 3, 1)
