"""The hidden layers of a pass that is looked into: their outputs, and how steep their activations were."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Float

from vae_jax.layers.slope import relative_slope
from vae_jax.recipe.forward_pass import ForwardPass

Taps = tuple[Float[Array, "_layers batch ..."], ...]
"""An array for each run of consecutive hidden layers of one shape, the layers of the run in front."""


class Run(NamedTuple):
    """Consecutive hidden layers of one shape.

    Attributes:
        layers: How many.
        shape: Of one example.
        scanned: Whether they are the steps of a scan, and not written out.
        patch: Positions of an image that each of its entries is a sum over; 1 where a layer is no image.
    """

    layers: int
    shape: tuple[int, ...]
    scanned: bool = False
    patch: int = 1


class Hidden(NamedTuple):
    """A run of consecutive hidden layers of one shape, as a pass saw them.

    Attributes:
        output: What each layer adds to what is known: its output, after the activation.
        slope: How steep its activation was there, see `relative_slope`.
        counts: Which examples have such a layer, as sequences of unequal length have steps; None where all have.
    """

    output: Float[Array, "layers batch ..."]
    slope: Float[Array, "layers batch ..."]
    counts: Bool[Array, "layers batch"] | None = None


def watched(run: ForwardPass, slopes: list[Array]) -> ForwardPass:
    """The pass with an activation that also keeps how steep it was, as a share of the steepest it can be.

    Args:
        run: The pass.
        slopes: What it adds |phi'| to, wherever it is called.
    """
    phi = run.recipe.activation

    def activation(z: Array, *learnt: Array) -> Array:
        def own(z: Array) -> Array:
            return phi(z, *learnt)

        slopes.append(relative_slope(own, z))
        return own(z)

    return run.instead(activation=activation)
