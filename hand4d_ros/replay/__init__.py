"""Bags and media in, tracked hands, pictures and reports out; all offline."""
