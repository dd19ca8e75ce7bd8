"""Data sets: fetched, checked, read and split the same way every time."""
