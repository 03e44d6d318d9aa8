"""This package's evaluation of MANO against smplx's, on a made-up file in MANO's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hand.mano_samples import mano_content, write_official

from hand4d_ros.geometry import se3, so3
from hand4d_ros.hand.mano_file import corrected, hand_model, read_mano
from hand4d_ros.types import Side

pytest.importorskip("torch")
pytest.importorskip("smplx")


@pytest.mark.parametrize("side", list(Side))
def test_fast_path_agrees_with_smplx(tmp_path: Path, side: Side) -> None:
    """Vertices and keypoints equal those of smplx within a micrometre, for any shape and pose."""
    from hand4d_ros.hand.smplx_reference import evaluate, smplx_layer

    arrays = corrected(read_mano(write_official(tmp_path / "m.pkl", mano_content(1, side))))
    layer, model = smplx_layer(arrays), hand_model(arrays)
    rng = np.random.default_rng(2)
    for betas in (np.zeros(10), rng.normal(size=10)):
        T = se3.from_rotation_translation(so3.exp(rng.normal(size=(4, 3))), rng.normal(size=(4, 3)))
        rotvec = rng.normal(scale=0.7, size=(4, 15, 3))
        vertices_m, keypoints_m = evaluate(layer, betas, T, rotvec)
        hand = model.with_shape(betas)
        np.testing.assert_allclose(hand.vertices(T, rotvec), vertices_m, atol=1e-6)
        np.testing.assert_allclose(hand.keypoints(T, rotvec), keypoints_m, atol=1e-6)


def test_rotations_are_absolute_from_the_flat_hand(tmp_path: Path) -> None:
    """No mean pose is added: with no rotation the mesh is the template, moved to its wrist."""
    from hand4d_ros.hand.smplx_reference import evaluate, smplx_layer

    arrays = read_mano(write_official(tmp_path / "m.pkl", mano_content(1)))
    vertices_m, keypoints_m = evaluate(
        smplx_layer(arrays), np.zeros(10), np.eye(4)[None], np.zeros((1, 15, 3))
    )
    wrist = arrays.J_regressor[0] @ arrays.v_template
    np.testing.assert_allclose(vertices_m[0], arrays.v_template - wrist, atol=1e-6)
    np.testing.assert_allclose(keypoints_m[0, 0], 0.0, atol=1e-6)
