"""The decoder's context beside the layer before: `(z, hidden, layers) -> one for each of its layers, or None`.

The layers are its blocks and its head; the first of all sees z itself.
"""

from jaxtyping import Array, Float

Latents = Float[Array, "batch latent"]
Hidden = list[Float[Array, "batch ..."]]


def no_context(z: Latents, hidden: Hidden, layers: int) -> None:
    """Nothing: z enters at the first layer alone."""


def latent_context(z: Latents, hidden: Hidden, layers: int) -> list[Latents]:
    """z, for every block and the head.

    Source:
        Dieng, Kim, Rush & Blei 2019, arXiv:1807.04863.
    """
    return [z] * layers


def encoder_context(z: Latents, hidden: Hidden, layers: int) -> Hidden:
    """The encoder's hidden layers in reverse, past z: what is decoded so is no latent variable model any more.

    The last one is left out, since it is what z is made of; where the decoder's layers outnumber the others, as its
    blocks and its head do those of a dense encoder, the first serves more than one.

    Raises:
        ValueError: If there are none, as where a code is decoded whose example is not there.
    """
    if not hidden:
        raise ValueError("the decoder reads the encoder's hidden layers past z, and of a code alone there are none")
    return [hidden[max(0, len(hidden) - 2 - layer)] for layer in range(layers)]
