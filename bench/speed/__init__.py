"""This suite's own speed, beside peers that do the same work."""
