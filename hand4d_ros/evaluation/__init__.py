"""Truth and estimates of clips in, figures with intervals, tables, JSON and TUM tracks out."""
