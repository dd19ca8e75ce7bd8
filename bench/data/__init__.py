"""Data sets, loaded and split the same way every time."""
