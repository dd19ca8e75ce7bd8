"""What a run leaves on the disk: records, their files, saved models. No jax."""
