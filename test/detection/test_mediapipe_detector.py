"""MediaPipe on real frames: sides, places, borders; on nothing: nothing; when broken: an error."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from detection.aria_samples import AriaFrame, aria_frames

from hand4d_ros.detection import mediapipe_graphs
from hand4d_ros.detection.base import Detector
from hand4d_ros.detection.mediapipe_detector import MediaPipeConfig, MediaPipeDetector
from hand4d_ros.errors import ConfigError, DetectionError
from hand4d_ros.geometry.camera import camera_from_fov
from hand4d_ros.shapes import Array
from hand4d_ros.types import CameraModel, Frame, HandDetection, Side

# pytest resets the filter that the detector sets for a warning of MediaPipe's own.
pytestmark = pytest.mark.filterwarnings("ignore:SymbolDatabase.GetPrototype")

VGA = camera_from_fov(640, 480, 1.2)
MS = 1_000_000
EXTENT_SHARE = 0.25


@pytest.fixture(scope="module")
def loaded() -> Iterator[MediaPipeDetector]:
    """One detector for the whole module: it takes a second to load."""
    detector = MediaPipeDetector()
    yield detector
    detector.close()


@pytest.fixture
def detector(loaded: MediaPipeDetector) -> MediaPipeDetector:
    """The detector as at the start."""
    loaded.reset()
    return loaded


@pytest.fixture(scope="module")
def recording(real_data: Path) -> list[AriaFrame]:
    """The grey frames of the Aria recording."""
    return list(aria_frames(real_data, "slam-front-right"))


def mean_error_px(found: HandDetection, truth_px: Array) -> float:
    """Mean distance to the landmarks, without the one that Aria lacks."""
    return float(np.nanmean(np.linalg.norm(found.keypoints_px - truth_px, axis=-1)))


def by_side(found: list[HandDetection]) -> dict[Side, HandDetection]:
    """Detections by their side, none of which may come twice."""
    result = {hand.side: hand for hand in found}
    assert len(result) == len(found)
    return result


def test_both_hands_of_a_head_worn_camera(
    detector: MediaPipeDetector, recording: list[AriaFrame]
) -> None:
    """At least 16 of 18 hands are found while the head turns, all with the right side."""
    followed: Detector = detector
    errors = []
    for entry in recording:
        for side, hand in by_side(followed.detect(entry.frame)).items():
            extent_px = float(np.nanmax(np.ptp(entry.keypoints_px[side][2:], axis=0)))
            error_px = mean_error_px(hand, entry.keypoints_px[side])
            assert error_px < EXTENT_SHARE * extent_px
            errors.append(error_px)
    assert len(errors) >= 16
    assert np.mean(errors) < 10.0


def test_3d_keypoints_are_in_camera_axes(
    detector: MediaPipeDetector, recording: list[AriaFrame]
) -> None:
    """Moved and scaled, but not turned, they lie on the hand, though it is far off the axis."""
    errors_m = []
    for entry in recording[5:]:
        for hand in detector.detect(entry.frame):
            assert hand.keypoints_3d_m is not None
            known = np.isfinite(entry.keypoints_m[hand.side][:, 0])
            truth = entry.keypoints_m[hand.side][known]
            guess = hand.keypoints_3d_m[known]
            truth, guess = truth - truth.mean(axis=0), guess - guess.mean(axis=0)
            guess = guess * (guess * truth).sum() / (guess * guess).sum()
            errors_m.append(np.linalg.norm(guess - truth, axis=-1).mean())
    assert len(errors_m) >= 7
    # Without turning them from the view to the camera the median is 0.025 m.
    assert np.median(errors_m) < 0.02


def test_a_mirrored_image_swaps_the_sides(
    detector: MediaPipeDetector, recording: list[AriaFrame]
) -> None:
    """Every image flipped: left hands are right hands, at the mirrored places."""
    entry = recording[8]
    straight = by_side(detector.detect(entry.frame))
    detector.reset()
    flipped = np.ascontiguousarray(entry.frame.image[:, ::-1])
    mirrored = by_side(detector.detect(dataclasses.replace(entry.frame, image=flipped)))
    for side, hand in mirrored.items():
        original = straight[Side(1 - side)]
        x_px = entry.frame.camera.width_px - 1 - hand.keypoints_px[:, 0]
        assert np.abs(x_px - original.keypoints_px[:, 0]).mean() < 4.0
    assert set(mirrored) == set(straight) != set()


def test_colour_frames_find_the_left_hand(detector: MediaPipeDetector, real_data: Path) -> None:
    """In the colour camera only the left hand comes into view, in two of three frames."""
    found = [
        by_side(detector.detect(entry.frame)) for entry in aria_frames(real_data, "camera-rgb")
    ]
    assert [set(hands) for hands in found[1:]] == [{Side.LEFT}, {Side.LEFT}]


def test_a_hand_at_the_border_is_less_sure_outside(
    detector: MediaPipeDetector, recording: list[AriaFrame]
) -> None:
    """The right hand leaves the image: what is outside counts less, and all stays finite."""
    entry = recording[2]
    wrist_px = int(entry.keypoints_px[Side.RIGHT][0, 0])
    found: list[HandDetection] = []
    for index, width_px in enumerate((wrist_px + 60, wrist_px, wrist_px - 15, wrist_px - 25)):
        image = np.ascontiguousarray(entry.frame.image[:, :width_px])
        camera = dataclasses.replace(entry.frame.camera, width_px=width_px)
        found = detector.detect(Frame(index * 33 * MS, image, camera))
    right = by_side(found)[Side.RIGHT]
    outside = right.keypoints_px[:, 0] > width_px - 0.5
    assert 4 <= outside.sum() <= 15
    assert np.isfinite(right.keypoints_px).all()
    assert mean_error_px(right, entry.keypoints_px[Side.RIGHT]) < 20.0
    inside_confidence = right.keypoint_confidence[~outside]
    assert inside_confidence[0] > 0.5
    np.testing.assert_allclose(inside_confidence, inside_confidence[0])
    np.testing.assert_allclose(right.keypoint_confidence[outside], 0.25 * inside_confidence[0])


def test_video_of_one_right_hand(detector: MediaPipeDetector, real_data: Path) -> None:
    """Every frame of a second of video has one right hand and nothing else."""
    video = cv2.VideoCapture(str(real_data / "dex_retargeting" / "human_hand_video.mp4"))
    camera = camera_from_fov(1280, 720, 1.1)
    for index in range(15):
        read, bgr = video.read()
        assert read
        image = np.ascontiguousarray(bgr[..., ::-1])
        found = detector.detect(Frame(index * 33 * MS, image, camera))
        assert [hand.side for hand in found] == [Side.RIGHT]
        assert 0.5 < found[0].score <= 1.0
        assert found[0].landmarks == "mediapipe"
    video.release()


def test_detection_is_deterministic(
    detector: MediaPipeDetector, recording: list[AriaFrame]
) -> None:
    """Threads or not, the same frames give the same numbers again."""
    runs = []
    for _ in range(2):
        detector.reset()
        runs.append([detector.detect(entry.frame) for entry in recording[3:6]])
    for first, second in zip(*runs, strict=True):
        assert len(first) == len(second) > 0
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a.keypoints_px, b.keypoints_px)
            assert (a.side, a.score) == (b.side, b.score)


def test_a_hand_that_leaves_is_dropped_and_found_again(
    detector: MediaPipeDetector, recording: list[AriaFrame]
) -> None:
    """A black image ends it at once; the next real image has it again."""
    entry = recording[7]
    black = np.zeros_like(entry.frame.image)
    counts = []
    for index, image in enumerate((entry.frame.image, black, black, entry.frame.image)):
        frame = dataclasses.replace(entry.frame, image=image, stamp_ns=index * 33 * MS)
        counts.append(len(detector.detect(frame)))
    assert counts[0] >= 1
    assert counts[1:3] == [0, 0]
    assert counts[3] >= 1


@pytest.mark.parametrize("stamps_ms", [(1000, 500), (1000, 5000)], ids=["back", "pause"])
def test_nothing_is_followed_across_a_jump_in_time(
    detector: MediaPipeDetector, recording: list[AriaFrame], stamps_ms: tuple[int, int]
) -> None:
    """After a jump the hands that are followed are those of a fresh detector."""
    frames = [
        dataclasses.replace(entry.frame, stamp_ns=stamp_ms * MS)
        for entry, stamp_ms in zip(recording[6:8], stamps_ms, strict=True)
    ]
    detector.detect(frames[0])
    assert detector._hands
    detector._pass_time(frames[1].stamp_ns)
    assert not detector._hands


@pytest.mark.parametrize("kind", ["noise", "black", "white", "grey"])
def test_no_hands_in_nothing(detector: MediaPipeDetector, kind: str) -> None:
    """Noise and plain images have no hands, however often they are searched."""
    rng = np.random.default_rng(0)
    plain = {"black": 0, "white": 255, "grey": 127}
    for index in range(6):
        if kind == "noise":
            image = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
        else:
            image = np.full((480, 640, 3), plain[kind], dtype=np.uint8)
        assert detector.detect(Frame(index * 33 * MS, image, VGA)) == []


def test_tiny_and_thin_images_are_searched_too(detector: MediaPipeDetector) -> None:
    """No size breaks it."""
    for width_px, height_px in ((1, 1), (3, 200), (2000, 5)):
        camera = CameraModel(width_px, height_px, 100.0, 100.0, 0.0, 0.0)
        image = np.full((height_px, width_px, 3), 90, dtype=np.uint8)
        assert detector.detect(Frame(0, image, camera)) == []


def test_an_empty_image_is_an_error(detector: MediaPipeDetector) -> None:
    """An image without pixels is refused as such."""
    image = np.zeros((0, 640, 3), dtype=np.uint8)
    with pytest.raises(DetectionError, match="image is empty"):
        detector.detect(Frame(0, image, VGA))


def test_a_failing_network_is_a_detection_error(
    detector: MediaPipeDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What MediaPipe raises comes out as DetectionError, and the next frame works again."""
    frame = Frame(0, np.zeros((480, 640, 3), dtype=np.uint8), VGA)

    def fail(*_: object) -> None:
        raise RuntimeError("graph has errors")

    with monkeypatch.context() as broken:
        broken.setattr(mediapipe_graphs.PalmNetwork, "__call__", fail)
        with pytest.raises(DetectionError, match="MediaPipe failed on the image: graph has errors"):
            detector.detect(frame)
    assert detector.detect(frame) == []


def test_warm_up_follows_nothing_and_a_closed_detector_says_so() -> None:
    """A light detector on one thread warms up, closes twice, and refuses frames afterwards."""
    detector = MediaPipeDetector(MediaPipeConfig(model_complexity=0, threads=1))
    detector.warm_up(VGA)
    detector.close()
    detector.close()
    with pytest.raises(DetectionError, match="closed"):
        detector.detect(Frame(0, np.zeros((480, 640, 3), dtype=np.uint8), VGA))


def test_static_images_are_searched_whole_and_mirrors_swap_sides(
    recording: list[AriaFrame],
) -> None:
    """In static mode each image stands alone; a selfie camera's sides are exchanged."""
    config = MediaPipeConfig(static_image_mode=True, mirrored=True)
    detector = MediaPipeDetector(config)
    for entry in (recording[8], recording[5]):
        found = by_side(detector.detect(entry.frame))
        assert set(found) == {Side.LEFT, Side.RIGHT}
        for side, hand in found.items():
            assert mean_error_px(hand, entry.keypoints_px[Side(1 - side)]) < 15.0
    detector.close()


def test_missing_mediapipe_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without mediapipe the error names the version to install."""
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(DetectionError, match=r"needs mediapipe; .*mediapipe==0\.10\.14"):
        MediaPipeDetector()


def test_too_new_mediapipe_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mediapipe without mp.solutions is named with its version."""
    import mediapipe

    monkeypatch.setattr(mediapipe, "__version__", "0.10.99")
    monkeypatch.setitem(sys.modules, "mediapipe.python.solution_base", None)
    with pytest.raises(DetectionError, match=r"mediapipe 0\.10\.99 has no mp\.solutions"):
        MediaPipeDetector()


def test_networks_that_do_not_load_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph that MediaPipe refuses is reported with its reason."""
    monkeypatch.setattr(mediapipe_graphs, "_PALM_GRAPH", 'node { calculator: "NoSuchThing" }')
    with pytest.raises(DetectionError, match="cannot load its hand networks"):
        MediaPipeDetector()


def write_error(line: str) -> None:
    """Write to the standard error of the process, past Python, as MediaPipe does."""
    os.write(2, f"{line}\n".encode())


def test_start_up_chatter_is_kept_from_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Known chatter is swallowed, everything else passed on, and standard error works after."""
    with mediapipe_graphs.quiet():
        write_error("I0000 00:00:00.000000 gl_context.cc:357] GL version")
        write_error("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.")
        write_error("somebody else's warning")
    write_error("afterwards")
    assert capfd.readouterr().err == "somebody else's warning\nafterwards\n"


def test_start_up_chatter_is_shown_when_it_fails(capfd: pytest.CaptureFixture[str]) -> None:
    """When loading fails the log may say why, so nothing of it is lost."""

    def load() -> None:
        with mediapipe_graphs.quiet():
            write_error("E0000 00:00:00.000000 model.cc:1] no such file")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        load()
    assert "no such file" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_hands", 0),
        ("threads", 9),
        ("model_complexity", 2),
        ("min_detection_confidence", -0.1),
        ("min_hand_confidence", 1.5),
        ("min_faint_confidence", float("nan")),
        ("min_tracking_confidence", 2.0),
        ("same_side_weight", -1.0),
        ("outside_confidence", 1.1),
        ("max_gap_s", 0.0),
    ],
)
def test_config_refuses_nonsense(field: str, value: float) -> None:
    """Every impossible value is refused with its name."""
    with pytest.raises(ConfigError, match=f"{field} is"):
        MediaPipeConfig(**{field: value})  # type: ignore[arg-type]


def test_duplicates_of_one_hand_are_suppressed(
    detector: MediaPipeDetector, recording: list[AriaFrame]
) -> None:
    """A hand that is followed twice, as after two hands met, is reported once."""
    entry = recording[8]
    assert len(detector.detect(entry.frame)) == 2
    right = max(detector._hands, key=lambda hand: hand.right)
    detector._hands = [right, right]
    found = detector.detect(entry.frame)
    right_px = entry.keypoints_px[Side.RIGHT]
    assert sum(mean_error_px(hand, right_px) < 20.0 for hand in found) == 1
