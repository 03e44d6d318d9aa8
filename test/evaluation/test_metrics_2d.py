"""Image errors by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hand4d_ros.errors import MetricError
from hand4d_ros.evaluation import metrics_2d as image

RNG = np.random.default_rng(2)
TRUTH = RNG.uniform(100.0, 200.0, size=(5, 21, 2))
BOX = np.full(5, 100.0)


def test_box_is_the_longer_side() -> None:
    """40 wide and 70 high is 70."""
    points = np.array([[[10.0, 20.0], [50.0, 90.0], [30.0, 40.0]]])
    np.testing.assert_array_equal(image.box_size_px(points), [70.0])


def test_pck_by_hand() -> None:
    """Of 21 keypoints, 7 are 4 px off, 7 are 9 px off and 7 are 20 px off, of a 100 px box."""
    estimate = TRUTH.copy()
    estimate[:, :, 0] += np.repeat([4.0, 9.0, 20.0], 7)
    assert image.pck(TRUTH, estimate, BOX, threshold=0.05) == pytest.approx(1 / 3)
    assert image.pck(TRUTH, estimate, BOX, threshold=0.1) == pytest.approx(2 / 3)
    assert image.pck(TRUTH, estimate, BOX, threshold=0.25) == 1.0


def test_pck_scales_with_the_image() -> None:
    """Resizing image, keypoints and box changes nothing."""
    estimate = TRUTH + RNG.normal(scale=6.0, size=TRUTH.shape)
    half = image.pck(TRUTH / 2, estimate / 2, BOX / 2, threshold=0.1)
    assert half == pytest.approx(image.pck(TRUTH, estimate, BOX, threshold=0.1))


def test_pck_averages_keypoints_first() -> None:
    """A keypoint labelled once weighs as much as one labelled always; one never, nothing."""
    labelled = np.zeros((5, 21), dtype=bool)
    labelled[:, 0] = True
    labelled[0, 1] = True
    estimate = TRUTH.copy()
    estimate[:, 1] += 50.0
    assert image.pck(TRUTH, estimate, BOX, None, labelled, threshold=0.1) == pytest.approx(0.5)


def test_reprojection_is_a_root_mean_square() -> None:
    """(3, 4) px everywhere is 5 px; one of four frames 10 px off is 5 px too."""
    assert image.reprojection_px(TRUTH, TRUTH + np.array([3.0, 4.0])) == pytest.approx(5.0)
    moved = TRUTH[:4].copy()
    moved[0, :, 1] += 10.0
    assert image.reprojection_px(TRUTH[:4], moved) == pytest.approx(5.0)


def test_documented_raises() -> None:
    """A box without size, no label, NaN."""
    with pytest.raises(MetricError, match="no size"):
        image.pck(TRUTH, TRUTH, np.zeros(5), threshold=0.1)
    with pytest.raises(MetricError, match="no keypoint is labelled"):
        image.pck(TRUTH, TRUTH, BOX, None, np.zeros((5, 21), dtype=bool), threshold=0.1)
    with pytest.raises(MetricError, match="NaN"):
        image.reprojection_px(TRUTH, np.full_like(TRUTH, np.nan))
