"""The fixed-lag smoother on made-up shots: truth kept, gaps filled, size and scale learnt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dynhamr_samples import Shot, shot

from hand4d_ros.detection.external import ExternalDetections
from hand4d_ros.errors import ConfigError
from hand4d_ros.geometry import se3
from hand4d_ros.hand.measures import hand_length_m
from hand4d_ros.pipeline import HandPipeline, PipelineConfig
from hand4d_ros.shapes import Array
from hand4d_ros.tracking.config import TrackerConfig
from hand4d_ros.tracking.fixed_lag.config import FixedLagConfig
from hand4d_ros.types import Frame, HandDetection, HandTrack, Side, TrackingState

MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
WHITE = FixedLagConfig(correlation_frames=2.0, estimate_ratio=False)
"""For shots whose noise is new in every frame."""
Tracks = list[dict[Side, HandTrack]]


def tracked(sample: Shot, config: FixedLagConfig | None, *, hold_s: float = 0.3) -> Tracks:
    """Run the pipeline over a shot, smoothed or, without a config, not."""
    refine = TrackerConfig(hold_s=hold_s)
    if config is not None:
        refine = TrackerConfig(hold_s=hold_s, refine="fixed_lag", fixed_lag=config)
    detector = ExternalDetections()
    pipeline = HandPipeline(PipelineConfig(tracker=refine), detector=detector)
    out = []
    for frame, found in zip(sample.frames, sample.detections, strict=True):
        detector.push(frame.stamp_ns, found)
        out.append({track.hand.side: track for track in pipeline.step(frame).tracks})
    return out


def keypoints(tracks: Tracks, side: Side) -> Array:
    """Keypoints of one hand in every frame."""
    return np.stack([each[side].hand.keypoints_m for each in tracks])


def errors_m(sample: Shot, tracks: Tracks, side: Side) -> Array:
    """Mean distance of the keypoints in every frame."""
    return np.linalg.norm(keypoints(tracks, side) - sample.keypoints_m[side], axis=-1).mean(axis=1)


def hidden(sample: Shot, side: Side, frames: range) -> Shot:
    """Take one hand out of some frames."""
    detections = tuple(
        tuple(d for d in found if d.side is not side or row not in frames)
        for row, found in enumerate(sample.detections)
    )
    return replace(sample, detections=detections)


def mirrored(sample: Shot) -> Shot:
    """The same scene in a mirror: left hands become right ones."""

    def frame(each: Frame) -> Frame:
        assert each.T_world_camera is not None
        return replace(each, T_world_camera=MIRROR @ each.T_world_camera @ MIRROR)

    def detection(each: HandDetection) -> HandDetection:
        width_px = sample.frames[0].camera.width_px
        own = each.keypoints_3d_m
        assert own is not None
        return replace(
            each,
            side=Side(1 - each.side),
            keypoints_px=np.array([width_px - 1.0, 0.0]) + each.keypoints_px * [-1.0, 1.0],
            keypoints_3d_m=own * [-1.0, 1.0, 1.0],
        )

    return replace(
        sample,
        frames=tuple(frame(each) for each in sample.frames),
        detections=tuple(tuple(detection(d) for d in found) for found in sample.detections),
    )


def test_true_hands_stay_where_they_are() -> None:
    """Without noise the smoother agrees with the single frames, which are nearly exact."""
    sample = shot(24, noise_px=0.0)
    alone, smooth = tracked(sample, None), tracked(sample, WHITE)
    for side in Side:
        apart = np.linalg.norm(keypoints(smooth, side) - keypoints(alone, side), axis=-1)
        assert apart.mean() < 0.008
        assert apart[-5:].mean() < 0.003
        assert errors_m(sample, smooth, side).mean() < errors_m(sample, alone, side).mean() + 0.005


def test_noise_is_smoothed() -> None:
    """Jerk falls by far, the error does not rise."""
    sample = shot(40, noise_px=4.0, seed=3)
    alone, smooth = tracked(sample, None), tracked(sample, WHITE)
    for side in Side:
        jerk = [
            np.abs(np.diff(keypoints(each, side), 3, axis=0)).mean() for each in (alone, smooth)
        ]
        assert jerk[1] < 0.2 * jerk[0]
        assert (
            errors_m(sample, smooth, side)[20:].mean() < errors_m(sample, alone, side)[20:].mean()
        )


def test_gap_is_infilled_then_predicted_then_lost() -> None:
    """While the window holds a frame with the hand it is infilled, until the hold time is over."""
    sample = hidden(shot(40, noise_px=0.5), Side.LEFT, range(18, 36))
    tracks = tracked(sample, FixedLagConfig(lag_frames=5, estimate_ratio=False), hold_s=0.4)
    states = [each[Side.LEFT].tracking_state for each in tracks if Side.LEFT in each]
    names = [TrackingState.OBSERVED] * 18 + [TrackingState.INFILLED] * 5
    names += [TrackingState.PREDICTED] * 7 + [TrackingState.LOST] + [TrackingState.OBSERVED] * 4
    assert states == names
    unseen = [each[Side.LEFT].hand for each in tracks[18:30]]
    assert all(np.isnan(state.keypoints_px).all() for state in unseen)
    assert all(np.diff([state.keypoint_std_m.mean() for state in unseen]) > 0.0)
    apart = np.array([state.keypoints_m for state in unseen]) - sample.keypoints_m[Side.LEFT][18:30]
    assert np.linalg.norm(apart, axis=-1).mean() < 0.04
    assert all(each[Side.RIGHT].tracking_state is TrackingState.OBSERVED for each in tracks)


def test_frame_without_odometry_is_bridged() -> None:
    """A frame without a pose of the camera is predicted; the next one goes on."""
    sample = shot(20)
    frames = list(sample.frames)
    frames[10] = replace(frames[10], T_world_camera=None)
    tracks = tracked(replace(sample, frames=tuple(frames)), FixedLagConfig())
    assert tracks[10][Side.RIGHT].tracking_state is TrackingState.PREDICTED
    assert tracks[11][Side.RIGHT].tracking_state is TrackingState.OBSERVED
    assert errors_m(sample, tracks, Side.RIGHT)[11:].max() < 0.03


def test_mirrored_scene_gives_mirrored_hands() -> None:
    """Left and right are treated alike."""
    sample = shot(16, noise_px=1.0)
    config = FixedLagConfig()
    one, other = tracked(sample, config), tracked(mirrored(sample), config)
    for side in Side:
        swapped = keypoints(other, Side(1 - side)) * [-1.0, 1.0, 1.0]
        np.testing.assert_allclose(swapped, keypoints(one, side), atol=1e-4)


def test_metric_odometry_shows_the_size() -> None:
    """Hands larger than the mean are found to be, with a deviation that shrinks."""
    betas = np.zeros(10)
    betas[0] = 1.5
    sample = shot(90, noise_px=0.5, betas=betas)
    true_m = sample.hand_length_m
    tracks = tracked(sample, FixedLagConfig(odometry_drift_m=0.001))
    lengths = hand_length_m(keypoints(tracks, Side.RIGHT))
    mean_m = hand_length_m(keypoints(tracked(shot(1), None), Side.RIGHT))[0]
    assert abs(mean_m / true_m - 1.0) > 0.05
    assert abs(lengths[-1] / true_m - 1.0) < 0.03
    along = [each[Side.RIGHT].hand.wrist_covariance[:3, :3].trace() for each in tracks]
    assert along[-1] < along[0]
    assert tracks[-1][Side.LEFT].world_scale == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("scale", [0.7, 1.4])
def test_unknown_scale_is_found(scale: float) -> None:
    """Odometry in units of its own: hands are published in metres, with the scale."""
    sample = shot(90, noise_px=0.5, odometry_scale=scale)
    config = FixedLagConfig(odometry_is_metric=False, odometry_drift_m=0.001)
    tracks = tracked(sample, config)
    last = tracks[-1][Side.RIGHT]
    assert abs(last.world_scale * scale - 1.0) < 0.05
    assert last.world_scale_std < tracks[0][Side.RIGHT].world_scale_std
    assert errors_m(sample, tracks, Side.RIGHT)[-20:].mean() < 0.03


def test_contradicted_past_is_given_up() -> None:
    """A hand that is elsewhere from one frame to the next is there after a few frames."""
    sample = shot(24, noise_px=0.5)
    shift = np.array([150.0, 0.0])
    detections = tuple(
        tuple(replace(d, keypoints_px=d.keypoints_px + shift * (row >= 12)) for d in found)
        for row, found in enumerate(sample.detections)
    )
    moved = replace(sample, detections=detections)
    alone, smooth = tracked(moved, None), tracked(moved, WHITE)
    apart = np.linalg.norm(keypoints(smooth, Side.RIGHT) - keypoints(alone, Side.RIGHT), axis=-1)
    assert apart[-4:].mean() < 0.02


def test_reset_forgets_hands_but_not_the_person() -> None:
    """After a jump back in time everything starts anew, but what was learnt of the size."""
    sample = shot(45, noise_px=0.5, betas=np.array([1.5] + [0.0] * 9))
    detector = ExternalDetections()
    tracker = TrackerConfig(refine="fixed_lag")
    pipeline = HandPipeline(PipelineConfig(tracker=tracker), detector=detector)
    seen = []
    for frame, found in [*zip(sample.frames, sample.detections, strict=True)] * 2:
        detector.push(frame.stamp_ns, found)
        seen.append({t.hand.side: t for t in pipeline.step(frame).tracks})
    first, again = seen[0][Side.RIGHT], seen[45][Side.RIGHT]
    assert (first.track_id, again.track_id) == ("right-1", "right-2")
    lengths = [hand_length_m(each.hand.keypoints_m) for each in (first, again)]
    assert lengths[1] > 1.02 * lengths[0]


def test_states_are_posed_hands() -> None:
    """Keypoints are those of the published parameters, and covariances are positive."""
    sample = hidden(shot(20, noise_px=2.0), Side.RIGHT, range(15, 18))
    for each in tracked(sample, FixedLagConfig()):
        for track in each.values():
            state = track.hand
            assert (np.linalg.eigvalsh(state.wrist_covariance) > 0.0).all()
            se3.check_rigid(state.T_frame_wrist, "wrist")
            np.testing.assert_allclose(state.keypoints_m[0], state.wrist_m, atol=1e-12)


def test_impossible_settings_are_refused() -> None:
    """A window must hold the frames that a jerk spans."""
    with pytest.raises(ConfigError, match="lag_frames is 2; give a value between 4 and 32"):
        FixedLagConfig(lag_frames=2)
