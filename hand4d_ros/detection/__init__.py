"""Hands in an image: a frame goes in, a list of 2D detections with sides and scores comes out."""
