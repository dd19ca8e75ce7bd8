"""What the decoder's blocks see beside the layer before them: `(z, hidden) -> one context for each block, or None`."""

from jaxtyping import Array, Float

Latents = Float[Array, "batch latent"]
Hidden = list[Float[Array, "batch width"]]


def no_context(z: Latents, hidden: Hidden) -> None:
    """Nothing: z enters at the first layer alone."""


def latent_context(z: Latents, hidden: Hidden) -> list[Latents]:
    """z, for every block.

    Source:
        Dieng, Kim, Rush & Blei 2019, arXiv:1807.04863.
    """
    return [z] * (len(hidden) - 1)


def encoder_context(z: Latents, hidden: Hidden) -> Hidden:
    """The encoder's hidden layers in reverse, past z: what is decoded so is no latent variable model any more."""
    return hidden[-2::-1]
