"""The truth is projected exactly, and made worse only as asked and always the same way."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hand4d_ros.detection.base import Detector
from hand4d_ros.detection.truth import TrueHand, TruthConfig, TruthDetector
from hand4d_ros.errors import ConfigError, DetectionError, GeometryError
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.shapes import Array
from hand4d_ros.types import CameraModel, Frame, HandState, Side

CAMERA = CameraModel(640, 480, 400.0, 400.0, 320.0, 240.0, "plumb_bob", (-0.2, 0.05, 0.0, 0.0))
T_WORLD_CAMERA = se3.from_rotation_translation(
    so3.exp(np.array([0.3, -0.5, 0.1])), np.array([1.0, 2.0, 3.0])
)
P_CAMERA = np.array([0.05, -0.02, 0.5]) + 0.04 * np.random.default_rng(3).normal(size=(21, 3))
RIGHT = TrueHand(Side.RIGHT, se3.apply(T_WORLD_CAMERA, P_CAMERA))
LEFT = TrueHand(Side.LEFT, se3.apply(T_WORLD_CAMERA, P_CAMERA - [0.2, 0.0, 0.0]))


def frame(stamp_ns: int = 0, T_world_camera: Array | None = T_WORLD_CAMERA) -> Frame:
    """A black frame."""
    return Frame(stamp_ns, np.zeros((480, 640, 3), dtype=np.uint8), CAMERA, T_world_camera)


def test_the_perfect_detector_projects_exactly() -> None:
    """Pixels are those of the camera, 3D keypoints are in camera axes, all is certain."""
    detector: Detector
    detector = truth = TruthDetector()
    truth.put(5, [RIGHT, LEFT])
    found = detector.detect(frame(5))
    assert [hand.side for hand in found] == [Side.RIGHT, Side.LEFT]
    np.testing.assert_allclose(found[0].keypoints_px, cameras.project(CAMERA, P_CAMERA), atol=1e-9)
    assert found[0].keypoints_3d_m is not None
    np.testing.assert_allclose(found[0].keypoints_3d_m, P_CAMERA - P_CAMERA.mean(axis=0), atol=1e-9)
    np.testing.assert_array_equal(found[0].keypoint_confidence, 1.0)
    detector.warm_up(CAMERA)
    detector.close()
    assert detector.detect(frame(5)) == []


def test_the_true_camera_pose_counts_where_it_is_given() -> None:
    """With drifting odometry the pixels still come from where the camera truly is."""
    truth = TruthDetector()
    truth.put(0, [RIGHT], T_WORLD_CAMERA)
    (found,) = truth.detect(frame(0, np.eye(4)))
    np.testing.assert_allclose(found.keypoints_px, cameras.project(CAMERA, P_CAMERA), atol=1e-9)


def test_stamps_match_within_the_tolerance_only() -> None:
    """Half a millisecond off is the same instant, two are another."""
    truth = TruthDetector()
    truth.put(33_000_000, [LEFT])
    truth.put(0, [RIGHT])
    assert truth.detect(frame(500_000))[0].side is Side.RIGHT
    assert truth.detect(frame(32_500_000))[0].side is Side.LEFT
    assert truth.detect(frame(2_000_000)) == []
    assert TruthDetector().detect(frame(0)) == []


def test_hands_out_of_view_are_not_found() -> None:
    """Behind the camera or beside the image there is nothing; at the border there is a hand."""
    truth = TruthDetector()
    behind = TrueHand(Side.LEFT, se3.apply(T_WORLD_CAMERA, P_CAMERA * [1.0, 1.0, -1.0]))
    beside = TrueHand(Side.LEFT, se3.apply(T_WORLD_CAMERA, P_CAMERA + np.array([2.0, 0.0, 0.0])))
    border = TrueHand(Side.RIGHT, se3.apply(T_WORLD_CAMERA, P_CAMERA + np.array([0.35, 0.0, 0.0])))
    truth.put(0, [behind, beside, border])
    (found,) = truth.detect(frame())
    assert found.side is Side.RIGHT
    inside = cameras.in_image(CAMERA, found.keypoints_px)
    assert 8 <= inside.sum() < 21
    np.testing.assert_array_equal(found.keypoint_confidence, np.where(inside, 1.0, 0.25))


def test_a_keypoint_behind_the_camera_is_finite_and_worth_nothing() -> None:
    """Solvers get no NaN: the pixel is that of the others' middle, with confidence zero."""
    p = P_CAMERA.copy()
    p[4] = [0.0, 0.0, -0.1]
    truth = TruthDetector()
    truth.put(0, [TrueHand(Side.RIGHT, se3.apply(T_WORLD_CAMERA, p))])
    (found,) = truth.detect(frame())
    assert np.isfinite(found.keypoints_px).all()
    assert found.keypoint_confidence[4] == 0.0
    np.testing.assert_allclose(
        found.keypoints_px[4], np.delete(found.keypoints_px, 4, axis=0).mean(axis=0)
    )


def test_noise_has_its_size_and_depends_on_seed_and_stamp_alone() -> None:
    """The same frame gives the same noise, whatever was asked before it."""
    config = TruthConfig(noise_px=2.0, noise_3d_m=0.01, seed=4)
    one, other = TruthDetector(config), TruthDetector(config)
    errors = []
    for stamp_ns in range(200):
        one.put(stamp_ns * 10**7, [RIGHT])
        other.put(stamp_ns * 10**7, [RIGHT])
        (found,) = one.detect(frame(stamp_ns * 10**7))
        errors.append(found.keypoints_px - cameras.project(CAMERA, P_CAMERA))
    assert np.std(errors) == pytest.approx(2.0, rel=0.05)
    (last,) = other.detect(frame(199 * 10**7))
    np.testing.assert_array_equal(last.keypoints_px, found.keypoints_px)
    different = TruthDetector(dataclasses.replace(config, seed=5))
    different.put(0, [RIGHT])
    assert np.abs(different.detect(frame())[0].keypoints_px - errors[0]).max() > 1.0


def test_dropouts_and_wrong_sides_have_their_rates() -> None:
    """One hand in five is missed, one in ten has the wrong side."""
    truth = TruthDetector(TruthConfig(dropout=0.2, wrong_side=0.1, seed=1))
    sides: list[Side] = []
    for index in range(400):
        truth.put(index * 10**7, [RIGHT])
        sides += [hand.side for hand in truth.detect(frame(index * 10**7))]
    assert len(sides) == pytest.approx(320, abs=30)
    assert sides.count(Side.LEFT) / len(sides) == pytest.approx(0.1, abs=0.06)


def test_truth_from_a_state_takes_its_keypoints() -> None:
    """A hand state in the world is the truth of its keypoints."""
    state = HandState(
        *(Side.LEFT, np.eye(4), np.zeros((15, 3)), np.zeros(10), np.zeros(3)),
        *(LEFT.keypoints_world_m, np.ones(21), np.zeros(21), np.zeros((6, 6))),
        *(np.full((21, 2), np.nan), 0.0),
    )
    hand = TrueHand.from_state(state)
    assert hand.side is Side.LEFT
    np.testing.assert_array_equal(hand.keypoints_world_m, LEFT.keypoints_world_m)


def test_it_says_when_nobody_knows_where_the_camera_is() -> None:
    """Neither the truth nor the frame has a pose."""
    truth = TruthDetector()
    truth.put(0, [RIGHT])
    with pytest.raises(DetectionError, match="no camera pose"):
        truth.detect(frame(0, None))


def test_put_refuses_a_pose_that_is_none() -> None:
    """A camera pose of zeros is an error at once."""
    with pytest.raises(GeometryError, match="T_world_camera"):
        TruthDetector().put(0, [RIGHT], np.zeros((4, 4)))


@pytest.mark.parametrize(
    ("field", "value"),
    [("noise_px", -1.0), ("dropout", 1.1), ("min_keypoints", 0), ("seed", -1)],
)
def test_config_refuses_nonsense(field: str, value: float) -> None:
    """Every impossible value is refused with its name."""
    with pytest.raises(ConfigError, match=f"{field} is"):
        TruthConfig(**{field: value})  # type: ignore[arg-type]
