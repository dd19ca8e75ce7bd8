"""Mean-field theory: how signal, similarity and gradient pass through a wide random tower, layer by layer.

At finite depth, not at the fixed point: where the signal converges slowly, as under tanh at the critical point, the
fixed point is wrong for every layer that there is.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vae_jax.initialization.moments import (
    Activation,
    evaluate,
    normal_rule,
    product_moment,
    quadrature,
    square_moments,
)
from vae_jax.layers.blocks import PlainBlock, PreActivationResidualBlock
from vae_jax.layers.units import ParametricUnit, Unit
from vae_jax.models.contract import Architecture
from vae_jax.models.posteriors import GaussianHead
from vae_jax.models.vae import VAEArchitecture
from vae_jax.recipe.configured import made_by
from vae_jax.recipe.recipe import Recipe
from vae_jax.towers.cells import TanhCell
from vae_jax.towers.dense import DenseTower, units
from vae_jax.towers.recurrent import Recurrent


@dataclass(frozen=True)
class Profile:
    """Theory's expectation of each hidden layer; layer 0 is the input layer, or the state after the first step.

    Attributes:
        mean_square: Of each hidden layer over examples and units, after the activation.
        mean_cosine: Between two examples in each hidden layer; None where no map for it is known.
        gradient_ratio: Root mean square of dL/dh of hidden layer l - 1 over that of l, for l from 1 to the last: below
            1 the gradient vanishes towards the input.
        head_mean_square: Mean square of what the head reads.
    """

    mean_square: tuple[float, ...]
    mean_cosine: tuple[float, ...] | None
    gradient_ratio: tuple[float, ...]
    head_mean_square: float


@dataclass(frozen=True)
class NoPrediction:
    """Why theory has nothing to say of a tower, in one sentence."""

    reason: str


def length_map(activation: Activation, variance: float, weight_variance: float, bias_variance: float = 0.0) -> float:
    """The pre-activations' variance one layer on: sigma_w^2 E[phi(u)^2] + sigma_b^2.

    Args:
        activation: phi, elementwise.
        variance: q, of the pre-activations.
        weight_variance: sigma_w^2, a kernel entry's variance times the fan-in.
        bias_variance: sigma_b^2.

    Source:
        Poole et al. 2016, arXiv:1606.05340.
    """
    return weight_variance * square_moments(activation, variance)[0] + bias_variance


def chi(activation: Activation, variance: float, weight_variance: float) -> float:
    """sigma_w^2 E[phi'(u)^2]: the factor of a gradient's mean square from one layer's output to that of the one below.

    Args:
        activation: phi, elementwise.
        variance: q, of the upper layer's pre-activations.
        weight_variance: sigma_w^2 of the upper layer, whose kernel is square.

    Source:
        Schoenholz, Gilmer, Ganguli & Sohl-Dickstein 2017, arXiv:1611.01232.
    """
    return weight_variance * square_moments(activation, variance)[1]


def correlation_map(
    activation: Activation, variance: float, correlation: float, weight_variance: float, bias_variance: float = 0.0
) -> float:
    """The correlation of two examples' pre-activations one layer on.

    Args:
        activation: phi, elementwise.
        variance: q, of the pre-activations.
        correlation: Theirs, between two examples.
        weight_variance: sigma_w^2, a kernel entry's variance times the fan-in.
        bias_variance: sigma_b^2.

    Source:
        Poole et al. 2016, arXiv:1606.05340.
    """
    product = weight_variance * product_moment(activation, variance, correlation) + bias_variance
    return product / length_map(activation, variance, weight_variance, bias_variance)


def plain_profile(
    activation: Activation,
    weight_variances: Sequence[float],
    input_mean_square: float,
    input_overlap: float,
    bias_variance: float = 0.0,
) -> Profile:
    """The profile of a tower of plain layers, h' = phi(W h + b), all of one width.

    Args:
        activation: phi, elementwise.
        weight_variances: sigma_w^2 of each layer up to the last block: a kernel entry's variance times the fan-in.
        input_mean_square: Of the inputs, over examples and entries.
        input_overlap: Mean product of two examples' entries over that: their cosine, if all have one length.
        bias_variance: sigma_b^2 of every layer.
    """
    mean_square, mean_cosine, ratios = [], [], []
    square, product = input_mean_square, input_mean_square * input_overlap
    for weight_variance in weight_variances:
        variance = weight_variance * square + bias_variance
        correlation = _cosine(weight_variance * product + bias_variance, variance)
        square, slope = square_moments(activation, variance)
        product = product_moment(activation, variance, correlation)
        mean_square.append(square)
        mean_cosine.append(_cosine(product, square))
        ratios.append(math.sqrt(weight_variance * slope))
    return Profile(tuple(mean_square), tuple(mean_cosine), tuple(ratios[1:]), square)


def residual_profile(
    activation: Activation, weight_variances: Sequence[float], input_mean_square: float, bias_variance: float = 0.0
) -> Profile:
    """The profile of an input layer phi(W x + b) and pre-activation residual blocks, h' = h + W phi(h) + b.

    A hidden layer is the input layer's output, which is not normal, and an independent normal sum of the branches.

    Args:
        activation: phi, elementwise.
        weight_variances: sigma_w^2 of each layer up to the last block: a kernel entry's variance times the fan-in.
        input_mean_square: Of the inputs, over examples and entries.
        bias_variance: sigma_b^2 of every layer.

    Source:
        Yang & Schoenholz 2017, arXiv:1712.08969.
    """
    u, weights = normal_rule(activation, np.zeros(1), weight_variances[0] * input_mean_square + bias_variance)
    first = evaluate(activation, u[0])
    mean_square, ratios, variance = [float(weights[0] @ first**2)], [], 0.0
    for weight_variance in weight_variances[1:]:
        given = quadrature(activation, first, variance)
        ratios.append(math.sqrt(1 + weight_variance * float(weights[0] @ given.slope)))
        variance += weight_variance * float(weights[0] @ given.second) + bias_variance
        mean_square.append(mean_square[0] + variance)
    head = float(weights[0] @ quadrature(activation, first, variance).second)
    return Profile(tuple(mean_square), None, tuple(ratios), head)


def recurrent_profile(
    activation: Activation,
    recurrent_variance: float,
    drive_variance: float,
    drive_overlap: float,
    steps: int,
    bias_variance: float = 0.0,
) -> Profile:
    """The profile of a plain cell over a sequence from a state of 0, h_t = phi(U h_{t-1} + W x_t + b).

    One matrix for all steps is taken for a fresh one in each: in a wide cell the two agree.

    Args:
        activation: phi, elementwise.
        recurrent_variance: sigma_w^2 of U: an entry's variance times the width.
        drive_variance: Of W x_t, the input's share of the pre-activations' variance.
        drive_overlap: The cosine of W x_t between two examples.
        steps: Of the sequence.
        bias_variance: sigma_b^2.

    Source:
        Chen, Pennington & Schoenholz 2018, arXiv:1806.05394.
    """
    mean_square, mean_cosine, ratios = [], [], []
    square = product = 0.0
    for _ in range(steps):
        variance = recurrent_variance * square + drive_variance + bias_variance
        common = recurrent_variance * product + drive_variance * drive_overlap + bias_variance
        square, slope = square_moments(activation, variance)
        product = product_moment(activation, variance, _cosine(common, variance))
        mean_square.append(square)
        mean_cosine.append(_cosine(product, square))
        ratios.append(math.sqrt(recurrent_variance * slope))
    return Profile(tuple(mean_square), tuple(mean_cosine), tuple(ratios[1:]), square)


def _cosine(product: float, square: float) -> float:
    if square == 0:
        raise ValueError(
            "the signal's mean square falls below the smallest number that is not 0, and two signals of 0 have no "
            "cosine: draw larger weights, or choose an activation with a slope at 0"
        )
    return product / square


def predict(
    architecture: Architecture, recipe: Recipe, parameters: Any, x: np.ndarray
) -> dict[str, Profile | NoPrediction]:
    """Theory's expectation of a drawn VAE's two towers, from the variances that its kernels really have.

    Args:
        architecture: The model's sizes.
        recipe: The recipe.
        parameters: From `train.init`: before the first step, when biases are zero and kernels random.
        x: Encoder inputs, centred; at least two. Those of a model that is no VAE of two towers are not looked at.

    Returns:
        For each stack a profile, or why there is none. What enters the decoder is z as theory expects the encoder to
        give it.
    """
    if not isinstance(architecture, VAEArchitecture):
        reason = f"theory's maps are of a VAE's towers, and this is a {_name(type(architecture))}"
        return dict.fromkeys(architecture.stacks, NoPrediction(reason))
    x = np.asarray(x, np.float64)
    squares = np.sum(x**2)
    overlap = float((np.sum(np.sum(x, axis=0) ** 2) - squares) / (len(x) - 1) / squares)
    encoder = _tower_profile(architecture, recipe, parameters, "encoder", float(squares / x.size), overlap, x.shape[1])
    if isinstance(encoder, NoPrediction):
        return {"encoder": encoder, "decoder": encoder}
    if recipe.posterior_head is not GaussianHead:
        reason = (
            f"theory draws z from the encoder's outputs as they are, and this recipe has {_name(recipe.posterior_head)}"
        )
        return {"encoder": encoder, "decoder": NoPrediction(reason)}
    head = np.asarray(architecture.encoder.kernels(parameters["encoder"])[-1])
    latent = head.shape[1] // 2
    mean, log_var = (_weight_variance(kernel) * encoder.head_mean_square for kernel in np.split(head, 2, axis=1))
    if log_var > _LARGEST_LOG_VAR_VARIANCE:
        reason = f"the posterior's log-variances vary by {log_var:.3g}, so z overflows: shrink the encoder's signal"
        return {"encoder": encoder, "decoder": NoPrediction(reason)}
    # log_var is normal too, so E[exp(log_var)] = exp(variance / 2). Without a cosine the decoder's map needs none.
    square = mean + math.exp(log_var / 2)
    overlap = mean * encoder.mean_cosine[-1] / square if encoder.mean_cosine else 0.0
    decoder = _tower_profile(architecture, recipe, parameters, "decoder", square, overlap, latent)
    return {"encoder": encoder, "decoder": decoder}


# exp(88) is the largest that float32 holds.
_LARGEST_LOG_VAR_VARIANCE = 2 * 88.0


# Slots that change what a layer does, and that no map here has in it.
_PLAIN = Recipe()
_ENCODER = ("normalization", "weight_form", "hidden_noise", "input_noise")
_LEFT_OUT = {"encoder": _ENCODER, "decoder": (*_ENCODER, "decoder_context")}
_BETWEEN_STEPS = ("zoneout", "carry", "readout")


def _or_why(profile: Callable[..., Profile | NoPrediction]) -> Callable[..., Profile | NoPrediction]:
    """A signal that overflows, or is no number, has no moments: then there is no profile, and it says why."""

    @functools.wraps(profile)
    def told(*given: Any) -> Profile | NoPrediction:
        try:
            return profile(*given)
        except ValueError as error:
            return NoPrediction(str(error))

    return told


@_or_why
def _tower_profile(
    architecture: VAEArchitecture,
    recipe: Recipe,
    parameters: Any,
    tower: str,
    mean_square: float,
    overlap: float,
    inputs: int,
) -> Profile | NoPrediction:
    kind = getattr(architecture, tower)
    recurrent = isinstance(kind, Recurrent)
    if not recurrent and kind is not DenseTower:
        return NoPrediction(f"theory's maps are of dense and recurrent towers, and this one is {_name(type(kind))}")
    for name in (*_LEFT_OUT[tower], *(_BETWEEN_STEPS if recurrent else ())):
        if getattr(recipe, name) != getattr(_PLAIN, name):
            return NoPrediction(
                f"theory's maps leave out the slot {name!r}, and this recipe has {_name(getattr(recipe, name))}"
            )
    if made_by(recipe.unit) not in (Unit, ParametricUnit):
        return NoPrediction(f"theory's maps know one matrix to a layer, and this recipe has {_name(recipe.unit)}")
    variances = [_weight_variance(kernel) for kernel in kind.kernels(parameters[tower])[:-1]]
    if recurrent:
        if recipe.cell is not TanhCell:
            return NoPrediction(f"no map is known here for {_name(recipe.cell)}: a TanhCell has one")
        (gate,) = parameters[tower]["cell"]["gates"].values()
        matrix = np.asarray(gate["recurrent"])
        if not np.any(matrix[~np.eye(len(matrix), dtype=bool)]):
            return NoPrediction("theory's map is of a random matrix from state to state, and this one is diagonal")
        dense = gate["unit"]["dense"]
        bias_variance = float(np.mean(np.asarray(dense["bias"], np.float64) ** 2))
        drive, steps = variances[0] * mean_square, inputs // len(dense["kernel"])
        return recurrent_profile(recipe.activation, variances[1], drive, overlap, steps, bias_variance)
    blocks = parameters[tower].get("blocks", {})
    biases = [np.asarray(unit["dense"]["bias"], np.float64) for unit in units(parameters[tower])]
    bias_variance = float(np.mean([np.mean(bias**2) for bias in biases]))
    if recipe.block is PlainBlock or not blocks:
        return plain_profile(recipe.activation, variances, mean_square, overlap, bias_variance)
    if recipe.block is PreActivationResidualBlock:
        return residual_profile(recipe.activation, variances, mean_square, bias_variance)
    if all("alpha" in blocks[index] and not np.any(blocks[index]["alpha"]) for index in blocks):
        # Every block is the identity, both ways.
        first, layers = plain_profile(recipe.activation, variances[:1], mean_square, overlap), len(variances)
        cosine = first.mean_cosine and first.mean_cosine * layers
        return Profile(first.mean_square * layers, cosine, (1.0,) * (layers - 1), first.head_mean_square)
    return NoPrediction(f"no map is known here for {_name(recipe.block)}: plain blocks have one")


def _name(slot: Any) -> str:
    return made_by(slot).__name__


def _weight_variance(kernel: Any) -> float:
    kernel = np.asarray(kernel, np.float64)
    return float(len(kernel) * np.mean(kernel**2))
