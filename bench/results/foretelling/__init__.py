"""What the start of a training foretells of its end, from stored cells. No jax."""
