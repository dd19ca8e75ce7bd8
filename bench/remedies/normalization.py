"""Normalizations: the scale of the signal is reset in every layer."""

from bench.plugins.remedy import remedy, require
from vae_jax.layers import normalization, weight_forms
from vae_jax.models import posteriors
from vae_jax.recipe.configured import configure
from vae_jax.recipe.recipe import Recipe


@remedy(source="Ioffe & Szegedy 2015, arXiv:1502.03167")
def batch_norm(recipe: Recipe) -> Recipe:
    """Each unit to mean 0, variance 1 over the batch: also pulls examples apart that a layer has made alike."""
    return recipe.replace(normalization=normalization.batch_norm)


@remedy(source="Ba, Kiros & Hinton 2016, arXiv:1607.06450")
def layer_norm(recipe: Recipe) -> Recipe:
    """Each example to mean 0, variance 1 over its units: resets the scale, leaves examples as alike as they are."""
    return recipe.replace(normalization=normalization.layer_norm)


@remedy(source="Zhang & Sennrich 2019, arXiv:1910.07467")
def rms_norm(recipe: Recipe) -> Recipe:
    """Each example to mean square 1 over its units: layer normalization without the mean."""
    return recipe.replace(normalization=normalization.rms_norm)


@remedy(source="Wu & He 2018, arXiv:1803.08494")
def group_norm(recipe: Recipe, *, units: int = 16) -> Recipe:
    """Each example to mean 0, variance 1 over groups of units: between layer norm and no mixing of units at all."""
    # The paper's other default, 32 groups, is for groups that have places beside channels. Of 64 units without places
    # it makes pairs, and a pair to mean 0 and variance 1 is a sign.
    require(units >= 2, "units", units, "be at least 2")
    return recipe.replace(normalization=configure(normalization.group_norm, units=units))


@remedy(source="Nguyen & Salazar 2019, arXiv:1910.05895")
def scale_norm(recipe: Recipe) -> Recipe:
    """Each example to one learnt length: the gradient is scaled, and its part along the signal taken out."""
    return recipe.replace(normalization=normalization.ScaleNorm)


@remedy(source="Zhu, Chen, He, LeCun & Liu 2025, arXiv:2503.10622")
def dynamic_tanh(recipe: Recipe, *, alpha: float = 0.5) -> Recipe:
    """tanh(alpha h) with learnt alpha and gains in place of a norm: bounds the signal, and saturates itself."""
    return recipe.replace(normalization=configure(normalization.DynamicTanh, alpha=alpha))


@remedy(source="Salimans & Kingma 2016, arXiv:1602.07868")
def weight_norm(recipe: Recipe) -> Recipe:
    """Length and direction of each unit's weights are learnt apart: a direction's gradient is scaled by g / |v|."""
    return recipe.replace(weight_form=weight_forms.WeightNorm)


@remedy(source="Miyato, Kataoka, Koyama & Yoshida 2018, arXiv:1802.05957", control=True)
def spectral_norm(recipe: Recipe, *, iterations: int = 8) -> Recipe:
    """No direction is stretched by much more than 1 (1.03 at width 64): a control, which all but only shrinks.

    What is above 1 is what so few power iterations leave.
    """
    require(iterations >= 1, "iterations", iterations, "be at least 1")
    return recipe.replace(weight_form=configure(weight_forms.SpectralNorm, iterations=iterations))


@remedy(source="Qiao, Wang, Liu, Shen & Yuille 2019, arXiv:1903.10520; Brock, De & Smith 2021, arXiv:2101.08692")
def weight_standardisation(recipe: Recipe, *, gain: float = 1.0) -> Recipe:
    """Each unit's weights to mean 0 and length 1, times a learnt gain: a mean that all units share is not passed on."""
    require(gain > 0, "gain", gain, "be above 0")
    return recipe.replace(weight_form=configure(weight_forms.WeightStandardisation, gain=gain))


@remedy(source="Zhu et al. 2020, arXiv:2004.12585")
def bn_vae(recipe: Recipe, *, gamma: float = 0.5) -> Recipe:
    """Posterior means to a fixed spread over the batch: their KL has a floor, so that they cannot collapse."""
    require(gamma > 0, "gamma", gamma, "be above 0")
    return recipe.replace(posterior_head=configure(posteriors.BatchNormHead, gamma=gamma))
