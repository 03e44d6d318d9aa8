"""The hand model: shape and pose in, keypoints, joint rotations and mesh out; orders, sizes."""
