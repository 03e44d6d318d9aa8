"""Tensors in, tensors out: building blocks of networks, and their weights with their cards."""
