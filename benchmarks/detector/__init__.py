"""Measures the real hand detector on renders, and the noise model that stands for it."""
