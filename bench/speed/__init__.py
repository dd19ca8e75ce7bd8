"""How fast this suite is, beside peers that do the same work."""
