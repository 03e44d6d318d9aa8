"""A task and a recipe in, checkpoints, curves and weights with a card out."""
