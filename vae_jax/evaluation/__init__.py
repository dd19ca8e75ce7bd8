"""A trained model on held-out examples: its bound and its estimates."""
