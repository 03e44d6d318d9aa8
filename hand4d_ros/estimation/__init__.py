"""Detections of a frame in, metric hands in the camera frame out; a folder for each system."""
