"""The bound, its parts, and how the KL term is treated."""
