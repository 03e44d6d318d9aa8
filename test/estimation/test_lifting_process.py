"""The lifting stream and the refinement, with a network's answers made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from hand4d_ros.detection.landmarks import LANDMARKS
from hand4d_ros.errors import ConfigError
from hand4d_ros.estimation.lifting.conditions import SIDES, seen_keypoints
from hand4d_ros.estimation.lifting.config import LiftingConfig
from hand4d_ros.estimation.lifting.motion_vector import (
    Hands,
    keypoints_from_hands,
    two_row_vector_from_hands,
)
from hand4d_ros.estimation.lifting.network import LiftingNetwork
from hand4d_ros.estimation.lifting.process import LiftingEstimator, LiftingStreamConfig
from hand4d_ros.estimation.lifting.refine import RefineConfig, refined_by_adam
from hand4d_ros.geometry import camera as cameras
from hand4d_ros.geometry import se3, so3
from hand4d_ros.geometry.camera import camera_from_fov
from hand4d_ros.hand.builtin import builtin_hand
from hand4d_ros.nn.diffusion import DiffusionConfig
from hand4d_ros.nn.hand_chain import HandChain
from hand4d_ros.nn.transformer import TransformerConfig
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Frame, HandDetection

torch.set_num_threads(1)
CAMERA = camera_from_fov(640, 480, 1.3)
IMAGE = np.zeros((480, 640, 3), dtype=np.uint8)
STEP_NS = 33_000_000
RNG = np.random.default_rng(0)
POSES = se3.from_rotation_translation(
    so3.exp(0.1 * RNG.normal(size=(9, 3))), 0.1 * RNG.normal(size=(9, 3))
)
"""Of the camera."""
ROTVEC = 0.3 * RNG.normal(size=(2, 16, 3))
WRIST_M = np.array([[0.1, 0.05, 0.5], [-0.1, 0.0, 0.45]])
"""Of hands that rest in the world."""


class Oracle(LiftingNetwork):
    """Knows the truth at a cold start and believes what it is given at a warm one."""

    def __init__(self) -> None:
        """Make a network of which nothing is used but its sizes."""
        super().__init__(
            LiftingConfig(
                frames=4,
                transformer=TransformerConfig(layers=1, width=8, heads=1, feed_forward=8),
                diffusion=DiffusionConfig(steps=20),
            )
        )
        self.calls: list[tuple[int, int, bool]] = []
        self.first = 0

    def sample(
        self,
        conditions: Mapping[str, Tensor],
        steps: Sequence[int],
        rng: torch.Generator,
        mask: Tensor | None = None,
        warm: Tensor | None = None,
    ) -> Tensor:
        """Note what was asked for and answer."""
        assert mask is None
        assert rng.device.type == "cpu"
        frames = conditions["camera"].shape[1]
        self.calls.append((frames, len(steps), warm is not None))
        if warm is not None:
            return warm
        R = so3.exp(ROTVEC)
        T = se3.inverse(POSES[self.first])
        R[:, 0] = T[:3, :3] @ R[:, 0]
        hands = Hands(
            torch.tensor(np.tile(R, (frames, 1, 1, 1, 1))).float(),
            torch.tensor(np.tile(se3.apply(T, WRIST_M), (frames, 1, 1))).float(),
        )
        return two_row_vector_from_hands(hands, self.scale)[None]


def truth_m(index: int) -> Float[Array, "2 21 3"]:
    """Keypoints of both hands in a camera."""
    T_world_wrist = se3.from_rotation_translation(so3.exp(ROTVEC[:, 0]), WRIST_M)
    world = [
        builtin_hand(side).with_shape().keypoints(T_world_wrist[i], ROTVEC[i, 1:])
        for i, side in enumerate(SIDES)
    ]
    return se3.apply(se3.inverse(POSES[index]), np.concatenate(world)).reshape(2, 21, 3)


def detections(index: int) -> list[HandDetection]:
    """Both hands, marked exactly."""
    px = cameras.project(CAMERA, truth_m(index))
    return [HandDetection(side, 1.0, px[i], np.ones(21)) for i, side in enumerate(SIDES)]


def frame(index: int, *, stamp_ns: int | None = None, posed: bool = True) -> Frame:
    """One image of a moving camera."""
    stamp = index * STEP_NS if stamp_ns is None else stamp_ns
    return Frame(stamp, IMAGE, CAMERA, POSES[index] if posed else None)


def test_resting_hands_rest_in_the_world() -> None:
    """However the camera moves, however far the window slid, and over frames without hands."""
    net = Oracle()
    estimator = LiftingEstimator(net, LiftingStreamConfig(cold_steps=3))
    for index in range(9):
        found = [] if index in (2, 3, 6) else detections(index)
        states = estimator.estimate(frame(index), found)
        assert len(states) == len(found)
        for row, state in enumerate(states):
            np.testing.assert_allclose(state.keypoints_m, truth_m(index)[row], atol=2e-5)
            assert state.side is SIDES[row]
            assert state.reprojection_px < 0.05
    lengths = [1, 2, 4, 4, 4, 4]
    assert net.calls == [(n, 3 if i == 0 else 1, i > 0) for i, n in enumerate(lengths)]


def test_order_and_choice_of_detections() -> None:
    """States come in the order of their detections."""
    estimator = LiftingEstimator(Oracle(), LiftingStreamConfig())
    found = detections(0)[::-1]
    states = estimator.estimate(frame(0), found)
    assert [state.side for state in states] == [d.side for d in found]


@pytest.mark.parametrize(
    "second",
    [
        frame(1, stamp_ns=0),
        frame(1, stamp_ns=-5),
        frame(1, stamp_ns=600_000_000),
        frame(1, posed=False),
    ],
    ids=["twice", "backwards", "late", "no pose"],
)
def test_the_past_is_forgotten(second: Frame) -> None:
    """Where time or pose do not go on from it."""
    net = Oracle()
    estimator = LiftingEstimator(net, LiftingStreamConfig())
    estimator.estimate(frame(0), detections(0))
    estimator.estimate(second, detections(1))
    assert net.calls == [(1, 4, False)] * 2


def test_frame_without_pose_is_not_a_past() -> None:
    """A posed frame after it starts anew, and then goes on."""
    net = Oracle()
    estimator = LiftingEstimator(net, LiftingStreamConfig())
    estimator.estimate(frame(0, posed=False), detections(0))
    estimator.estimate(frame(1), detections(1))
    estimator.estimate(frame(2), detections(2))
    assert net.calls == [(1, 4, False), (1, 4, False), (2, 1, True)]


def test_real_network_gives_the_same_states_after_a_reset() -> None:
    """Random weights, finite states."""
    torch.manual_seed(0)
    estimator = LiftingEstimator(LiftingNetwork(Oracle().config), LiftingStreamConfig())
    runs = []
    for _ in range(2):
        runs.append([estimator.estimate(frame(i), detections(i)) for i in range(3)])
        estimator.reset()
    for first, again in zip(*runs, strict=True):
        for a, b in zip(first, again, strict=True):
            np.testing.assert_array_equal(a.keypoints_m, b.keypoints_m)
            assert np.isfinite(a.T_frame_wrist).all()


def test_more_steps_than_levels() -> None:
    """Of the diffusion."""
    with pytest.raises(ConfigError, match="higher warm_level"):
        LiftingEstimator(Oracle(), LiftingStreamConfig(steps=9))


def test_refinement_finds_the_keypoints() -> None:
    """Hands that are off come back to where they were seen; those not seen stay."""
    chain = HandChain(builtin_hand().with_shape())
    marks = LANDMARKS["mediapipe"]
    frames = [detections(i) for i in range(3)]
    for found, index in zip(frames, range(3), strict=True):
        px = cameras.project(CAMERA, marks @ truth_m(index))
        found[0].keypoints_px[:], found[1].keypoints_px[:] = px[0], px[1]
    frames[1] = frames[1][:1]
    T = np.linalg.inv(POSES[0]) @ POSES[:3]
    R = so3.exp(np.tile(ROTVEC, (3, 1, 1, 1)) + 0.08 * RNG.normal(size=(3, 2, 16, 3)))
    inverse = se3.inverse(POSES[0])
    R[:, :, 0] = inverse[:3, :3] @ R[:, :, 0]
    wrist_m = np.tile(se3.apply(inverse, WRIST_M), (3, 1, 1)) + 0.01
    start = Hands(torch.tensor(R).float(), torch.tensor(wrist_m).float())
    seen = seen_keypoints(CAMERA, frames)
    config = RefineConfig(iterations=60)
    end = refined_by_adam(start, chain, seen, T, marks, config)

    def errors_px(hands: Hands) -> Float[Array, "3 2"]:
        points = keypoints_from_hands(chain, hands).double().numpy()
        local = se3.apply(se3.inverse(T), points.reshape(3, 42, 3)).reshape(3, 2, 21, 3)
        off = cameras.project(CAMERA, marks @ local) - ((seen.uv + 1.0) * [320.0, 240.0] - 0.5)
        return np.asarray(np.linalg.norm(off, axis=-1).mean(-1))

    shown = seen.valid.all(-1)
    assert shown.tolist() == [[True, True], [True, False], [True, True]]
    assert errors_px(start)[shown].min() > 3.0
    assert (errors_px(end)[shown] < 0.25 * errors_px(start)[shown]).all()
    torch.testing.assert_close(end.wrist_m[1, 1], start.wrist_m[1, 1])
    torch.testing.assert_close(end.rotations[1, 1], start.rotations[1, 1])
    T[2] = np.nan
    unknown = refined_by_adam(start, chain, seen, T, marks, RefineConfig(iterations=3))
    torch.testing.assert_close(unknown.wrist_m[2], start.wrist_m[2])
    assert not torch.equal(unknown.wrist_m[0], start.wrist_m[0])
