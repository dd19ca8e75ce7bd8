"""A hidden layer: its matrix, activation, normalization, noise and precision."""
