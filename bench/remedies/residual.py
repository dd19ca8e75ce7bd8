"""Residual forms: a way around the activation's slope."""

from bench.plugins.remedy import remedy, require
from vae_jax.layers.blocks import (
    DenselyConnectedBlock,
    FixupBlock,
    HighwayBlock,
    LayerScaleBlock,
    PostActivationResidualBlock,
    PreActivationResidualBlock,
    ReZeroBlock,
    ScaledResidualBlock,
    SkipInitBlock,
    StochasticDepthBlock,
)
from vae_jax.optimization.wrappers import slow_scalars
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.skip_connections import encoder_context, latent_context


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


@remedy(source="Hayou, Clerico, He, Deligiannidis, Doucet & Rousseau 2021, arXiv:2010.12859")
def scaled_residual(recipe: Recipe) -> Recipe:
    """h' = h + W phi(norm(h)) / sqrt(depth): the untouched path, with signal and gradient bounded at any depth."""
    return recipe.replace(block=ScaledResidualBlock)


@remedy(source="De & Smith 2020, arXiv:2002.10444")
def skip_init(recipe: Recipe, *, alpha: float = 0.0) -> Recipe:
    """A learnt alpha from 0 at the end of each pre-activation branch: the identity at first, without a norm."""
    return recipe.replace(block=configure(SkipInitBlock, alpha=alpha))


@remedy(source="Zhang, Dauphin & Ma 2019, arXiv:1901.09321")
def fixup(recipe: Recipe, *, scalar_rate: float = 0.1) -> Recipe:
    """Branches of two matrices that start at zero and are shrunk with depth: an update is as large at any depth.

    Its scalar biases and multipliers learn at a tenth of the rate, as in the paper's experiments; the biases after the
    matrices are vectors and learn at the full rate. The output layer is not zeroed: the encoder would get no gradient.
    """
    require(scalar_rate > 0, "scalar_rate", scalar_rate, "be above 0")
    recipe = recipe.chain(optimizer_wrappers=configure(slow_scalars, share=scalar_rate))
    return recipe.replace(block=FixupBlock)


@remedy(source="Touvron, Cord, Sablayrolles, Synnaeve & Jegou 2021, arXiv:2103.17239")
def layer_scale(recipe: Recipe, *, gamma: float = 0.1) -> Recipe:
    """A small learnt gain for each unit at a branch's end: close to the identity at first; deeper stacks need less."""
    return recipe.replace(block=configure(LayerScaleBlock, gamma=gamma))


@remedy(source="Huang, Sun, Liu, Sedra & Weinberger 2016, arXiv:1603.09382")
def stochastic_depth(recipe: Recipe, *, survival: float = 0.5) -> Recipe:
    """Branches left out at random, more often further up: in training the stack is shorter than it is."""
    require(0 < survival <= 1, "survival", survival, "lie in (0, 1]")
    return recipe.replace(block=configure(StochasticDepthBlock, survival=survival))


@remedy(source="Huang, Liu, van der Maaten & Weinberger 2017, arXiv:1608.06993")
def dense_connections(recipe: Recipe) -> Recipe:
    """Every block sees the outputs of all before it, and the head sees all: each has a way of its own to the loss."""
    return recipe.replace(block=DenselyConnectedBlock)


@remedy(source="Dieng, Kim, Rush & Blei 2019, arXiv:1807.04863 (Skip-VAE)")
def latent_skip(recipe: Recipe) -> Recipe:
    """z enters every block of the decoder, and its head: its gradient has a short way back; z is harder to ignore."""
    return recipe.replace(decoder_context=latent_context)


@remedy(source="Ronneberger, Fischer & Brox 2015, arXiv:1505.04597", control=True)
def encoder_skip(recipe: Recipe) -> Recipe:
    """The encoder's layers enter the decoder's past z: a negative control, which repairs the gradient and leaks x.

    The head sees the encoder's first layer, as the last block does. What is decoded so is no latent variable model any
    more, and its -ELBO no bound on a likelihood.
    """
    return recipe.replace(decoder_context=encoder_context)
