"""Hands in the camera frame in, tracks with identity in the world out."""
