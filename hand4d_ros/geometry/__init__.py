"""Rotations, rigid transforms, cameras and odometry: poses and points in, pixels and rays out."""
