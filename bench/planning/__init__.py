"""From what was typed to cells, each known by all that can change its numbers."""
