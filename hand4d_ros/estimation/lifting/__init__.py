"""2D keypoints and camera poses over time in, the motion of both hands in space out."""
