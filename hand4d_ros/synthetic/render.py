"""Pictures of meshes over a table: rasterise at double resolution, shade, develop.

``Renderer.render`` takes a list of views and returns as many pictures with their depth. The
same code runs on any device of torch; the same views give the same pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.hand.model import HandModel
from hand4d_ros.shapes import Array, Float, UInt8
from hand4d_ros.synthetic import backdrop, lighting, raster, surface, torch_camera
from hand4d_ros.synthetic.compose import SAMPLES, Drawing
from hand4d_ros.synthetic.sensor import SensorConfig, developed
from hand4d_ros.synthetic.shading import Patterns
from hand4d_ros.synthetic.skin_detail import detail_maps
from hand4d_ros.synthetic.textures import noise_volume
from hand4d_ros.types import CameraModel

_NEAR_M = 0.02
_NO_TABLE_DROP_M = 0.25


@dataclass(frozen=True)
class View:
    """One picture to take."""

    camera: CameraModel
    T_world_camera: Float[Array, "4 4"]
    parts: tuple[surface.Part, ...]
    light: lighting.Lighting
    occluders_m: Float[Array, "k 4"]
    """Spheres (centre and radius in the world) that keep ambient light away."""
    table: backdrop.Table | None
    texture: Float[torch.Tensor, "3 n n"]
    """Of the table; linear RGB."""
    room: Float[torch.Tensor, "3 rows columns"]
    sensor: SensorConfig = field(default_factory=SensorConfig)
    seed: int = 0
    """Of the sensor's noise."""


@dataclass(frozen=True)
class Pictures:
    """What the renderer returns, on its device."""

    images: UInt8[torch.Tensor, "b h w 3"]
    depth_m: Float[torch.Tensor, "views h w"]
    """Along the optical axis; infinite where only the room is."""
    part: torch.Tensor
    """(views, h, w) int64: which part of its view is nearest, -1 for none."""


@dataclass
class Renderer:
    """Draws views; keeps on its device what does not change between them."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    model: HandModel = field(default_factory=builtin_hand)
    """Hand model of any side, which says where the skin has its creases."""

    shadow_cells: int = 480
    """Along each edge of the shadow maps; small pictures do with 240, which is faster. A multiple
    of three."""

    def __post_init__(self) -> None:
        """Upload the patterns of all surfaces."""
        volume = noise_volume(np.random.default_rng(0))
        self._patterns = Patterns(
            _tensor(volume, self.device), _tensor(detail_maps(self.model), self.device)
        )
        self._rays: tuple[tuple[CameraModel, ...], torch.Tensor] | None = None

    @torch.inference_mode()
    def render(self, views: Sequence[View], exposures: int = 1) -> Pictures:
        """Take pictures of equal size.

        Args:
            views: What to take.
            exposures: How many consecutive views add up to one picture, for motion blur; depth
                and parts are returned for each view all the same.

        Raises:
            SceneError: If the cameras differ in size or distortion model.
        """
        light, depth, part = self._light(views)
        if exposures > 1:
            light = light.reshape(-1, exposures, *light.shape[1:]).mean(1)
        taken = views[::exposures]
        images = developed(light, [v.sensor for v in taken], [v.seed for v in taken])
        return Pictures(images, depth, part)

    def _light(self, views: Sequence[View]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        cameras = torch_camera.camera_batch([v.camera for v in views], self.device)
        poses = _tensor(np.stack([v.T_world_camera for v in views]), self.device)
        mesh = surface.packed([v.parts for v in views], self.device)
        lights = lighting.stacked([v.light for v in views], self.device)
        spheres = _padded([v.occluders_m for v in views], self.device)
        light_map = lighting.light_map(
            mesh, lights, self._planes(views, mesh), spheres, self.shadow_cells
        )
        scene = backdrop.backdrop(
            [v.table for v in views],
            torch.stack([v.texture for v in views]),
            torch.stack([v.room for v in views]),
        )
        rays = torch.einsum("bij,bhwj->bhwi", poses[:, :3, :3], self._pixel_rays(views, cameras))
        eye = poses[:, :3, 3]
        reach = lighting.plane_maps(light_map, spheres)
        colour, depth = backdrop.painted(scene, rays, eye, lights, light_map, reach)
        found = self._rasterised(cameras, poses, mesh)
        drawing = Drawing(mesh, lights, light_map, spheres, eye, rays, self._patterns)
        return drawing.over(colour, depth, found)

    def _planes(self, views: Sequence[View], mesh: surface.Packed) -> torch.Tensor:
        """Heights of the tables; without one the shadow plane lies below everything."""
        lowest = mesh.vertices_m.new_full((len(views),), 1e3)
        lowest = lowest.scatter_reduce(0, mesh.vertex_image, mesh.vertices_m[:, 2], "amin")
        heights = [v.table.height_m if v.table else float("nan") for v in views]
        given = torch.tensor(heights, dtype=torch.float32, device=self.device)
        return torch.where(torch.isnan(given), lowest - _NO_TABLE_DROP_M, given)

    def _pixel_rays(self, views: Sequence[View], cameras: torch_camera.CameraBatch) -> torch.Tensor:
        key = tuple(v.camera for v in views)
        if self._rays is None or self._rays[0] != key:
            self._rays = (key, torch_camera.pixel_rays(cameras))
        return self._rays[1]

    def _rasterised(
        self, cameras: torch_camera.CameraBatch, poses: torch.Tensor, mesh: surface.Packed
    ) -> raster.Fragments:
        pose = poses[mesh.vertex_image]
        offset = mesh.vertices_m - pose[:, :3, 3]
        p_camera = torch.einsum("nji,nj->ni", pose[:, :3, :3], offset)
        depth = p_camera[:, 2]
        seen = depth > _NEAR_M
        safe = torch.where(seen[:, None], p_camera, p_camera.new_tensor([0.0, 0.0, 1.0]))
        pixel = torch_camera.project(cameras, mesh.vertex_image, safe)
        pixel = (pixel + 0.5) * SAMPLES - 0.5
        nearness = torch.where(seen, 1.0 / safe[:, 2], -1.0)
        shape = (cameras.images, cameras.height_px * SAMPLES, cameras.width_px * SAMPLES)
        return raster.rasterize(
            pixel, nearness, mesh.faces, mesh.face_image, shape, cull="clockwise"
        )


def _tensor(values: Array, device: torch.device) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device)


def _padded(spheres: Sequence[Float[Array, "_ 4"]], device: torch.device) -> torch.Tensor:
    """Stack lists of spheres, filling up with spheres of no size."""
    most = max(1, *(len(s) for s in spheres))
    full = np.zeros((len(spheres), most, 4))
    for row, some in zip(full, spheres, strict=True):
        row[: len(some)] = some
    return _tensor(full, device)
