"""Every detector refuses the same images with the same words."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.detection.base import check_image, fill_unseen
from hand4d_ros.errors import DetectionError
from hand4d_ros.shapes import Array
from hand4d_ros.types import CameraModel, Frame

CAMERA = CameraModel(8, 6, 5.0, 5.0, 3.5, 2.5)


def frame(image: Array, camera: CameraModel = CAMERA) -> Frame:
    """A frame with any image, past the checks that records have in tests."""
    unchecked = object.__new__(Frame)
    object.__setattr__(unchecked, "image", image)
    object.__setattr__(unchecked, "camera", camera)
    return unchecked


def test_a_usable_image_passes() -> None:
    """8-bit RGB of the camera's size is fine."""
    check_image(Frame(0, np.zeros((6, 8, 3), dtype=np.uint8), CAMERA))


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((6, 8), dtype=np.uint8), r"shape \(6, 8\) of uint8"),
        (np.zeros((6, 8, 4), dtype=np.uint8), r"expected \(h, w, 3\)"),
        (np.zeros((6, 8, 3), dtype=np.float32), "of float32"),
        (np.zeros((0, 8, 3), dtype=np.uint8), "image is empty"),
        (np.zeros((8, 6, 3), dtype=np.uint8), "image is 6x8 but its camera is 8x6"),
    ],
)
def test_an_unusable_image_is_refused(image: Array, says: str) -> None:
    """Each message says what was given."""
    with pytest.raises(DetectionError, match=says):
        check_image(frame(image))


def test_fill_unseen_replaces_only_what_is_missing() -> None:
    """Missing pixels become the middle of the others; complete and empty hands stay."""
    px = np.arange(42.0).reshape(21, 2)
    filled, seen = fill_unseen(px)
    assert filled is px
    assert seen.all()
    px[20, 1] = np.nan
    filled, seen = fill_unseen(px)
    assert not seen[20]
    np.testing.assert_allclose(filled[20], px[:20].mean(axis=0))
    np.testing.assert_array_equal(filled[:20], px[:20])
    nothing, seen = fill_unseen(np.full((21, 2), np.nan))
    assert np.isnan(nothing).all()
    assert not seen.any()
