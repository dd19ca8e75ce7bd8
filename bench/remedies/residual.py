"""Residual forms: a way around the activation's slope."""

from bench.plugin import remedy
from vae_jax.configured import configure
from vae_jax.layers.blocks import (
    HighwayBlock,
    PostActivationResidualBlock,
    PreActivationResidualBlock,
    ReZeroBlock,
)
from vae_jax.recipe import Recipe


@remedy(source="He, Zhang, Ren & Sun 2016, arXiv:1512.03385")
def post_activation_residual(recipe: Recipe) -> Recipe:
    """h' = phi(h + W h): adds 1 to each block's Jacobian, but the sum still passes through every activation."""
    return recipe.replace(block=PostActivationResidualBlock)


@remedy(source="He, Zhang, Ren & Sun 2016, arXiv:1603.05027")
def pre_activation_residual(recipe: Recipe) -> Recipe:
    """h' = h + W phi(norm(h)): an untouched path from the last block to the first; signals grow with depth."""
    return recipe.replace(block=PreActivationResidualBlock)


@remedy(source="Srivastava, Greff & Schmidhuber 2015, arXiv:1505.00387")
def highway(recipe: Recipe, *, gate_bias: float = -1.0) -> Recipe:
    """A learnt gate, nearly shut at first, between a layer and its input: most of the gradient goes around.

    A more negative bias suits a deeper stack. Twice the matrices of a plain block.
    """
    return recipe.replace(block=configure(HighwayBlock, gate_bias=gate_bias))


@remedy(source="Bachlechner, Majumder, Mao, Cottrell & McAuley 2021, arXiv:2003.04887")
def rezero(recipe: Recipe, *, alpha: float = 0.0) -> Recipe:
    """h' = h + alpha * block(h) with a learnt alpha from 0: every block is the identity, both ways, at first."""
    return recipe.replace(block=configure(ReZeroBlock, alpha=alpha))
