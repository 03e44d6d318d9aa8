"""Hands of single frames and an odometry in, both hands' trajectories in the world out."""
