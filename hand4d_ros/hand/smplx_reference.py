"""MANO evaluated by ``smplx``, the reference that this package's own evaluation is held against.

Needs the libraries smplx and torch, which nothing else in this room does.
"""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING

import numpy as np

from hand4d_ros.geometry import so3
from hand4d_ros.hand.mano_file import MANO_TIP_VERTICES, ManoArrays
from hand4d_ros.hand.orders import MANO_PARENTS, OPENPOSE_FROM_MANO
from hand4d_ros.shapes import Array, Float
from hand4d_ros.types import Side

if TYPE_CHECKING:
    from smplx import MANOLayer


def smplx_layer(arrays: ManoArrays) -> MANOLayer:
    """Build smplx's layer from the arrays of a MANO file, in double precision.

    smplx would unpickle the file, which needs chumpy and trusts its content; it also takes the
    arrays themselves. The layer adds no mean pose: rotations are absolute from the flat hand.
    """
    import torch
    from smplx import MANOLayer
    from smplx.utils import Struct

    data = Struct(
        v_template=arrays.v_template,
        shapedirs=arrays.shapedirs,
        posedirs=arrays.posedirs,
        J_regressor=arrays.J_regressor,
        weights=arrays.weights,
        f=arrays.faces,
        kintree_table=np.array([MANO_PARENTS, range(16)], dtype=np.int64),
        hands_mean=arrays.hands_mean,
        hands_components=arrays.hands_components,
    )
    # smplx prints that a hand has but ten shape coefficients, which all of MANO's have.
    with contextlib.redirect_stdout(io.StringIO()):
        return MANOLayer(
            model_path="",
            data_struct=data,
            is_rhand=arrays.side is Side.RIGHT,
            use_pca=False,
            flat_hand_mean=True,
            dtype=torch.float64,
        )


def evaluate(
    layer: MANOLayer,
    betas: Float[Array, "10"],
    T_frame_wrist: Float[Array, "n 4 4"],
    joint_rotvec: Float[Array, "n 15 3"],
) -> tuple[Float[Array, "n 778 3"], Float[Array, "n 21 3"]]:
    """Pose one shape with smplx.

    Args:
        layer: From ``smplx_layer``.
        betas: Shape coefficients (standard deviations).
        T_frame_wrist: Poses of the wrist joint; smplx takes its position minus the one at rest.
        joint_rotvec: Axis-angle (rad) of joints 1..15, absolute from the flat hand.

    Returns:
        Vertices and the 21 keypoints in OpenPose order (m).
    """
    import torch

    count = len(T_frame_wrist)
    rotation = torch.from_numpy(np.ascontiguousarray(T_frame_wrist[:, None, :3, :3]))
    with torch.no_grad():
        posed = layer(
            betas=torch.from_numpy(np.tile(betas, (count, 1))),
            global_orient=rotation,
            hand_pose=torch.from_numpy(so3.exp(joint_rotvec)),
        )
    # smplx turns the hand about its wrist at rest, which therefore stays where it is.
    joints = posed.joints.numpy()
    shift = T_frame_wrist[:, None, :3, 3] - joints[:, :1]
    vertices = posed.vertices.numpy() + shift
    tips = vertices[:, list(MANO_TIP_VERTICES)]
    both = np.concatenate((joints + shift, tips), axis=1)
    return vertices, both[:, list(OPENPOSE_FROM_MANO)]
