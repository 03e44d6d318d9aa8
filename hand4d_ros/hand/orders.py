"""Joint orders of the hand: MANO's 16 joints and OpenPose's 21 keypoints.

Source: MANO (Romero et al., SIGGRAPH Asia 2017) and OpenPose's hand output, which MediaPipe
shares. The five fingertips are no joints of MANO; they are vertices of its mesh.
"""

MANO_JOINTS = (
    "wrist",
    "index1",
    "index2",
    "index3",
    "middle1",
    "middle2",
    "middle3",
    "little1",
    "little2",
    "little3",
    "ring1",
    "ring2",
    "ring3",
    "thumb1",
    "thumb2",
    "thumb3",
)
"""MANO's joints: finger joints count 1 to 3 from the palm outwards."""

MANO_PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
"""Parent joint of each of ``MANO_JOINTS``; -1 is the root."""

FINGERS = ("thumb", "index", "middle", "ring", "little")
"""Fingers in OpenPose order, which is also the order of the fingertips."""

TIP_PARENTS = (15, 3, 6, 12, 9)
"""MANO joint that carries the tip of each of ``FINGERS``."""

OPENPOSE_KEYPOINTS = (
    "wrist",
    "thumb_cmc",
    "thumb_mcp",
    "thumb_ip",
    "thumb_tip",
    "index_mcp",
    "index_pip",
    "index_dip",
    "index_tip",
    "middle_mcp",
    "middle_pip",
    "middle_dip",
    "middle_tip",
    "ring_mcp",
    "ring_pip",
    "ring_dip",
    "ring_tip",
    "little_mcp",
    "little_pip",
    "little_dip",
    "little_tip",
)
"""The 21 keypoints, base to tip, thumb to little finger."""

OPENPOSE_FROM_MANO = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)
"""Index into (16 MANO joints, 5 fingertips) for each OpenPose keypoint."""

OPENPOSE_BONES = (
    *((0, 1), (1, 2), (2, 3), (3, 4)),
    *((0, 5), (5, 6), (6, 7), (7, 8)),
    *((0, 9), (9, 10), (10, 11), (11, 12)),
    *((0, 13), (13, 14), (14, 15), (15, 16)),
    *((0, 17), (17, 18), (18, 19), (19, 20)),
)
"""Pairs of OpenPose keypoints (nearer, farther) that a bone joins."""

WRIST = 0
MIDDLE_MCP = 9
"""OpenPose keypoints at the two ends of the palm."""
