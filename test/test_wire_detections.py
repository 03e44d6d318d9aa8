"""Detections on the wire."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from hand4d_ros import wire_detections
from hand4d_ros.errors import RosError
from hand4d_ros.types import HandDetection, Side


def _message(**changes: object) -> SimpleNamespace:
    rng = np.random.default_rng(0)
    detection = HandDetection(
        Side.RIGHT,
        0.75,
        rng.uniform(0, 640, (21, 2)),
        rng.uniform(size=21),
        rng.normal(size=(21, 3)),
        "mediapipe",
    )
    fields = wire_detections.detection_array(1_500_000_000, "cam", [detection])
    hand = SimpleNamespace(**{**fields["hands"][0], **changes})
    stamp = SimpleNamespace(**fields["header"]["stamp"])
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp), hands=[hand])


def test_round_trip_in_single_precision() -> None:
    """Everything comes back, to the precision of the message."""
    rng = np.random.default_rng(0)
    stamp_ns, (found,) = wire_detections.detections_from_array(_message())
    assert (stamp_ns, found.side, found.landmarks) == (1_500_000_000, Side.RIGHT, "mediapipe")
    assert found.score == 0.75
    np.testing.assert_allclose(found.keypoints_px, rng.uniform(0, 640, (21, 2)), rtol=1e-6)
    np.testing.assert_allclose(found.keypoint_confidence, rng.uniform(size=21), rtol=1e-6)
    assert found.keypoints_3d_m is not None
    np.testing.assert_allclose(found.keypoints_3d_m, rng.normal(size=(21, 3)), rtol=1e-6)


def test_no_3d_keypoints() -> None:
    """An empty list means that the detector has none."""
    _, (found,) = wire_detections.detections_from_array(_message(keypoints_3d=[]))
    assert found.keypoints_3d_m is None


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"side": 2}, "side 2; 0 is left, 1 is right"),
        ({"landmarks": "guessed"}, "landmarks 'guessed'; give one of joints, mediapipe"),
        ({"keypoints_3d": [0.0] * 60}, "60 numbers of 3D keypoints; give 63 or none"),
    ],
)
def test_refusals(changes: dict[str, object], match: str) -> None:
    """What cannot be understood is refused with what is allowed."""
    with pytest.raises(RosError, match=match):
        wire_detections.detections_from_array(_message(**changes))
