"""Tracks of the last second (and the image) in, possible futures of each hand out."""
