"""The mathematics of one training run of a deep variational autoencoder, and of what is wrong with one."""

from typing import TYPE_CHECKING, Any

from vae_jax.configured import configure
from vae_jax.recipe import Recipe

if TYPE_CHECKING:
    from vae_jax.diagnosis import diagnose

__all__ = ["Recipe", "configure", "diagnose"]


def __getattr__(name: str) -> Any:
    # On demand: a recipe needs nothing of what a diagnosis needs.
    if name == "diagnose":
        from vae_jax.diagnosis import diagnose

        return diagnose
    raise AttributeError(f"module 'vae_jax' has no attribute {name!r}")
