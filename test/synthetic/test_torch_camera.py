"""The renderer's camera models against those of ``geometry.camera``."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hand4d_ros.errors import SceneError
from hand4d_ros.geometry import camera as reference
from hand4d_ros.synthetic import torch_camera
from hand4d_ros.types import CameraModel

CPU = torch.device("cpu")
CAMERAS = {
    "pinhole": CameraModel(64, 48, 50.0, 52.0, 31.0, 24.5),
    "plumb_bob": CameraModel(
        64, 48, 50.0, 52.0, 31.0, 24.5, "plumb_bob", (-0.2, 0.05, 1e-3, -2e-3, 0.01)
    ),
    "rational_polynomial": CameraModel(
        64,
        48,
        40.0,
        41.0,
        31.0,
        24.5,
        "rational_polynomial",
        (0.3, 0.02, 1e-3, -1e-3, 0.01, 0.55, 0.08, 0.01),
    ),
    "equidistant": CameraModel(
        64, 48, 22.0, 22.5, 31.0, 24.5, "equidistant", (-0.01, 0.005, -0.003, 0.001)
    ),
}


@pytest.mark.parametrize("name", CAMERAS)
def test_projection_agrees(name: str) -> None:
    """Points in view land on the same pixels to a thousandth."""
    camera = CAMERAS[name]
    rng = np.random.default_rng(0)
    points = rng.uniform([-0.5, -0.4, 0.8], [0.5, 0.4, 1.5], (200, 3))
    batch = torch_camera.camera_batch([camera], CPU)
    found = torch_camera.project(
        batch, torch.zeros(200, dtype=torch.int64), torch.tensor(points, dtype=torch.float32)
    )
    np.testing.assert_allclose(found.numpy(), reference.project(camera, points), atol=2e-3)


@pytest.mark.parametrize("name", CAMERAS)
def test_rays_agree_with_unprojection(name: str) -> None:
    """The ray of every pixel is the bearing of ``geometry.camera.unproject``, with z = 1."""
    camera = CAMERAS[name]
    rays = torch_camera.pixel_rays(torch_camera.camera_batch([camera], CPU))[0].numpy()
    y, x = np.mgrid[0:48, 0:64]
    bearing = reference.unproject(camera, np.stack((x, y), -1).astype(float))
    known = np.isfinite(bearing).all(-1)
    assert known.mean() > 0.9
    expected = bearing[known] / bearing[known][:, 2:]
    near = np.linalg.norm(expected, axis=-1) < 4.0
    np.testing.assert_allclose(rays[known][near], expected[near], atol=2e-4, rtol=2e-4)


def test_each_image_has_its_own_camera() -> None:
    """A batch projects each point with the camera of its image."""
    one, two = CAMERAS["plumb_bob"], CameraModel(64, 48, 90.0, 80.0, 20.0, 30.0)
    batch = torch_camera.camera_batch([one, two], CPU)
    points = torch.tensor([[0.1, 0.05, 1.0], [0.1, 0.05, 1.0]])
    found = torch_camera.project(batch, torch.tensor([0, 1]), points).numpy()
    for camera, pixel in zip((one, two), found, strict=True):
        expected = reference.project(camera, np.array([[0.1, 0.05, 1.0]]))[0]
        np.testing.assert_allclose(pixel, expected, atol=1e-3)


@pytest.mark.parametrize("pair", [[], ["plumb_bob", "equidistant"]])
def test_cameras_that_do_not_go_together_are_refused(pair: list[str]) -> None:
    """No camera, or different models, cannot be batched."""
    with pytest.raises(SceneError, match="cannot batch cameras"):
        torch_camera.camera_batch([CAMERAS[name] for name in pair], CPU)
