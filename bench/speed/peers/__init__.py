"""Peers that do the same work another way."""
