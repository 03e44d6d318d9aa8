"""Published datasets and real recordings in, one kind of frozen record out; nothing is copied."""
