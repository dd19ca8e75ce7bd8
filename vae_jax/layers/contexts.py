"""What the decoder's blocks see beside the layer before them: `(z, hidden, blocks) -> one for each block, or None`."""

from jaxtyping import Array, Float

Latents = Float[Array, "batch latent"]
Hidden = list[Float[Array, "batch width"]]


def no_context(z: Latents, hidden: Hidden, blocks: int) -> None:
    """Nothing: z enters at the first layer alone."""


def latent_context(z: Latents, hidden: Hidden, blocks: int) -> list[Latents]:
    """z, for every block.

    Source:
        Dieng, Kim, Rush & Blei 2019, arXiv:1807.04863.
    """
    return [z] * blocks


def encoder_context(z: Latents, hidden: Hidden, blocks: int) -> Hidden:
    """The encoder's hidden layers in reverse, past z: what is decoded so is no latent variable model any more.

    The last one is left out, since it is what z is made of; where blocks outnumber the others, the first serves more
    than one.
    """
    return [hidden[max(0, len(hidden) - 2 - block)] for block in range(blocks)]
