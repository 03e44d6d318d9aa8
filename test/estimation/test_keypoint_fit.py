"""The keypoint fit: Jacobians, known poses, both sides, size, proportions and uncertainty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hand4d_ros.errors import ConfigError
from hand4d_ros.estimation.keypoint_fit import initialise, residuals
from hand4d_ros.estimation.keypoint_fit.config import KeypointFitConfig
from hand4d_ros.estimation.keypoint_fit.process import KeypointFit
from hand4d_ros.estimation.keypoint_fit.proportions import Proportions
from hand4d_ros.estimation.keypoint_fit.solver import Pose
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.biomechanics import LOWER_RAD, REST_RAD, STD_RAD, UPPER_RAD, Anatomy
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.hand.model import ShapedHand
from hand4d_ros.hand.sizing import hand_size
from hand4d_ros.types import CameraModel, Frame, HandDetection, Side

CAMERA = cameras.camera_from_fov(640, 480, np.deg2rad(80.0))
FISHEYE = CameraModel(640, 480, 285.0, 286.0, 320.0, 240.0, "equidistant", (0.01, -0.002, 0.0, 0.0))
FIXED = KeypointFitConfig(estimate_proportions=False)


def _hand(side: Side, betas: np.ndarray | None = None) -> ShapedHand:
    model = builtin_hand() if side is Side.RIGHT else builtin_hand().mirrored()
    return model.with_shape(betas)


def _example(
    rng: np.random.Generator, side: Side, camera: CameraModel, betas: np.ndarray | None = None
) -> tuple[HandDetection, np.ndarray]:
    """Return a detection without noise and the keypoints (m) that it came from."""
    angles = np.clip(rng.normal(REST_RAD, 0.7 * STD_RAD), LOWER_RAD, UPPER_RAD)
    rotvec = so3.log(Anatomy(builtin_hand().with_shape(betas)).local_rotations(angles))
    if side is Side.LEFT:
        rotvec = rotvec * [1.0, -1.0, -1.0]
    wrist = np.array([rng.uniform(-0.12, 0.12), rng.uniform(-0.08, 0.08), rng.uniform(0.35, 0.6)])
    T = se3.from_rotation_translation(so3.exp(rng.normal(size=3)), wrist)
    keypoints_m = _hand(side, betas).keypoints(T, rotvec)
    centre = keypoints_m.mean(axis=0)
    return HandDetection(
        side=side,
        score=0.97,
        keypoints_px=cameras.project(camera, keypoints_m),
        keypoint_confidence=np.ones(21),
        keypoints_3d_m=1.15 * (keypoints_m - centre),
    ), keypoints_m


def _frame(stamp_ns: int, camera: CameraModel = CAMERA) -> Frame:
    return Frame(stamp_ns, np.zeros((camera.height_px, camera.width_px, 3), np.uint8), camera)


def _error_mm(keypoints_m: np.ndarray, truth_m: np.ndarray) -> float:
    return float(np.linalg.norm(keypoints_m - truth_m, axis=1).mean() * 1e3)


def test_jacobian_of_the_posed_hand_against_differences() -> None:
    """All 28 columns agree with central differences."""
    rng = np.random.default_rng(0)
    hand = builtin_hand().with_shape(rng.normal(size=10))
    anatomy = Anatomy(hand)
    pose = Pose(
        so3.exp(rng.normal(size=(2, 3))),
        rng.normal(size=(2, 3)),
        rng.uniform(LOWER_RAD + 0.1, UPPER_RAD - 0.1, (2, 22)),
    )

    def keypoints(at: Pose) -> np.ndarray:
        posed, _ = residuals.posed_with_jacobian(hand, anatomy, at.R, at.wrist_m, at.angles)
        return posed.keypoints_m

    _, J = residuals.posed_with_jacobian(hand, anatomy, pose.R, pose.wrist_m, pose.angles)
    for i in range(residuals.PARAMETERS):
        step = np.zeros((2, residuals.PARAMETERS))
        step[:, i] = 1e-5
        slope = (keypoints(pose.stepped(step)) - keypoints(pose.stepped(-step))) / 2e-5
        np.testing.assert_allclose(J[..., i], slope, atol=1e-8)


def test_shape_jacobian_against_differences() -> None:
    """Keypoints are linear in the shape coefficients for a fixed pose."""
    rng = np.random.default_rng(1)
    model = builtin_hand()
    betas = rng.normal(size=10)
    T = se3.from_rotation_translation(so3.exp(rng.normal(size=(1, 3))), rng.normal(size=(1, 3)))
    rotvec = rng.normal(scale=0.4, size=(1, 15, 3))
    hand = model.with_shape(betas)
    J = residuals.shape_jacobian(hand, hand.posed(T, rotvec))
    step = rng.normal(size=10)
    expected = model.with_shape(betas + step).keypoints(T, rotvec) - hand.keypoints(T, rotvec)
    np.testing.assert_allclose(J @ step, expected, atol=1e-12)


def test_wrist_on_rays_is_exact_for_exact_offsets() -> None:
    """Offsets and rays of one hand give its position back."""
    rng = np.random.default_rng(2)
    wrist_m = np.array([[0.1, -0.05, 0.5], [-0.2, 0.1, 0.4]])
    offsets = rng.normal(scale=0.05, size=(2, 21, 3))
    points = offsets + wrist_m[:, None]
    rays = points / np.linalg.norm(points, axis=-1, keepdims=True)
    found = initialise.wrist_on_rays(rays, offsets, np.ones((2, 21)))
    np.testing.assert_allclose(found, wrist_m, atol=1e-6)


@pytest.mark.parametrize("camera", [CAMERA, FISHEYE], ids=["pinhole", "fisheye"])
@pytest.mark.parametrize("with_3d", [True, False], ids=["3d", "2d-only"])
def test_recovers_hands_of_both_sides(camera: CameraModel, with_3d: bool) -> None:
    """Exact keypoints: the median hand is within a centimetre, cold, of known size."""
    rng = np.random.default_rng(3)
    fit = KeypointFit(FIXED, builtin_hand())
    errors: dict[Side, list[float]] = {side: [] for side in Side}
    for trial in range(12):
        examples = [_example(rng, side, camera) for side in Side]
        detections = [d if with_3d else replace(d, keypoints_3d_m=None) for d, _ in examples]
        states = fit.estimate(_frame(trial * 10**9, camera), detections)
        for state, (_, truth) in zip(states, examples, strict=True):
            errors[state.side].append(_error_mm(state.keypoints_m, truth))
            np.testing.assert_allclose(np.linalg.det(state.T_frame_wrist[:3, :3]), 1.0, atol=1e-9)
    for side in Side:
        assert np.median(errors[side]) < 10.0


def test_left_state_is_consistent_with_the_left_model() -> None:
    """Posing the left model with the published parameters gives the published keypoints."""
    rng = np.random.default_rng(4)
    fit = KeypointFit(FIXED, builtin_hand())
    for side in Side:
        detection, _ = _example(rng, side, CAMERA)
        (state,) = fit.estimate(_frame(0), [detection])
        posed = _hand(side, state.betas).keypoints(state.T_frame_wrist, state.joint_rotvec)
        np.testing.assert_allclose(posed, state.keypoints_m, atol=1e-9)


def test_size_sets_the_depth_and_its_spread_the_covariance() -> None:
    """A hand taken for 8% too large is put 8% too far, within the published uncertainty."""
    rng = np.random.default_rng(5)
    length_m = builtin_hand().with_shape().hand_length_m
    small = hand_size(builtin_hand(), {"hand_length": 0.92 * length_m}).betas
    detection, truth = _example(rng, Side.RIGHT, CAMERA, small)
    (default,) = KeypointFit(FIXED, builtin_hand()).estimate(_frame(0), [detection])
    known = replace(FIXED, hand_length_m=0.92 * length_m)
    (given,) = KeypointFit(known, builtin_hand()).estimate(_frame(0), [detection])
    assert default.wrist_m[2] / given.wrist_m[2] == pytest.approx(1 / 0.92, abs=0.02)
    assert given.wrist_m[2] / truth[0, 2] == pytest.approx(1.0, abs=0.05)
    for state in (default, given):
        error = state.wrist_m - truth[0]
        covariance = state.wrist_covariance[:3, :3]
        assert error @ np.linalg.solve(covariance, error) < 9.0
    ray = truth[0] / np.linalg.norm(truth[0])
    values, vectors = np.linalg.eigh(default.wrist_covariance[:3, :3])
    assert abs(vectors[:, -1] @ ray) > 0.95
    assert values[-1] > ray @ given.wrist_covariance[:3, :3] @ ray


def test_one_wrong_keypoint_does_not_carry_the_hand_away() -> None:
    """The robust cost shrugs off a keypoint that is 150 px off."""
    rng = np.random.default_rng(6)
    detection, truth = _example(rng, Side.RIGHT, CAMERA)
    bad = detection.keypoints_px.copy()
    bad[8] += 150.0
    (state,) = KeypointFit(FIXED, builtin_hand()).estimate(
        _frame(0), [replace(detection, keypoints_px=bad)]
    )
    others = [k for k in range(21) if k not in (6, 7, 8)]
    assert _error_mm(state.keypoints_m[others], truth[others]) < 15.0


def test_warm_start_reaches_the_cold_solution() -> None:
    """The same picture a moment later gives the same hand from fewer steps."""
    rng = np.random.default_rng(7)
    fit = KeypointFit(FIXED, builtin_hand())
    detection, _ = _example(rng, Side.LEFT, CAMERA)
    (cold,) = fit.estimate(_frame(0), [detection])
    for i in range(1, 6):
        (warm,) = fit.estimate(_frame(i * 33_000_000), [detection])
    assert _error_mm(warm.keypoints_m, cold.keypoints_m) < 2.0


def test_proportions_settle_and_lower_the_error() -> None:
    """Confident frames reveal long fingers; afterwards the shape is held."""
    rng = np.random.default_rng(8)
    betas = np.zeros(10)
    betas[1] = 2.5
    examples = [_example(rng, Side.RIGHT, CAMERA, betas) for _ in range(20)]
    fit = KeypointFit(KeypointFitConfig(proportion_frames=12), builtin_hand())
    for i, (detection, _) in enumerate(examples):
        fit.estimate(_frame(i * 10**9), [detection])
        if i == 12:
            held = fit.size.betas
    np.testing.assert_array_equal(fit.size.betas, held)
    assert held[1] > 0.8
    assert fit.size.covariance[1, 1] < 0.8


def test_proportions_leave_the_overall_size_alone() -> None:
    """No number of pictures from one camera tells the size of a hand."""
    rng = np.random.default_rng(9)
    prior = hand_size(builtin_hand())
    fit = KeypointFit(KeypointFitConfig(proportion_frames=50), builtin_hand())
    for i in range(30):
        fit.estimate(_frame(i * 10**9), [_example(rng, Side.RIGHT, CAMERA)[0]])
    before, after = (s.relative_std(builtin_hand()) for s in (prior, fit.size))
    assert after > 0.8 * before
    assert not Proportions(prior, 0).size.betas.any()


def test_no_detection_no_state() -> None:
    """Nothing detected, nothing published."""
    assert KeypointFit(FIXED, builtin_hand()).estimate(_frame(0), []) == []


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("hand_length_m", 19.0, "hand_length_m is 19.0; give 0.1 to 0.3 m"),
        ("keypoint_std", -1.0, "keypoint_std is -1.0; give a value between"),
        ("iterations", 0, "iterations is 0; give a value between 1 and 100"),
    ],
)
def test_impossible_settings_are_refused(field: str, value: float, match: str) -> None:
    """Nonsense is refused with what was given and what is allowed."""
    with pytest.raises(ConfigError, match=match):
        replace(FIXED, **{field: value})  # type: ignore[arg-type]


def test_two_sources_of_size_are_refused() -> None:
    """A length and a calibration file contradict each other."""
    with pytest.raises(ConfigError, match="both hand_length_m"):
        KeypointFitConfig(hand_length_m=0.18, calibration="me.json")
