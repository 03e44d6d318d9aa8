"""Hands of single frames in, hands smoothed over the last few frames out, as each frame comes."""
