"""The folder on this machine for what can be had again: compiled programs, and data that were downloaded."""

import os
from pathlib import Path

import platformdirs


def cache() -> Path:
    """`VAE_JAX_CACHE`, or a folder in the user's own cache."""
    return Path(os.environ.get("VAE_JAX_CACHE") or platformdirs.user_cache_path("vae-jax"))
