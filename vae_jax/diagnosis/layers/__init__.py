"""A traced model's layers, and who keeps the gradient from the first."""
