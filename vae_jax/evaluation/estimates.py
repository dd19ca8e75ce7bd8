"""All estimates of a trained VAE, in one pure function."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from vae_jax.evaluation.estimators import (
    FEWEST_POSTERIORS,
    MutualInformation,
    active_units,
    importance_weighted_bound,
    mutual_information,
)
from vae_jax.evaluation.evaluate import Evaluation, trained
from vae_jax.models.batch import Batch, examples
from vae_jax.models.contract import Architecture
from vae_jax.models.pieces import evenly, fitting, in_pieces
from vae_jax.objective.bound import gaussian_kl
from vae_jax.recipe.forward_pass import ForwardPass
from vae_jax.recipe.keys import named_key
from vae_jax.training.train import TrainState, chosen

# How much of what fits at once is decoded for a bound: some minutes of a core. Of DeepOBS's convolutions, 746 images
# a hundred times; of dense layers on MNIST, all.
_TIMES = 128


class Estimates(NamedTuple):
    """Of a trained VAE on held-out examples.

    Attributes:
        bound: Importance-weighted lower bound on log p(x), in nats, averaged over examples; where a model is so large
            that decoding all would take an hour, over some, evenly spaced.
        standard_error: Of that average, over examples.
        effective_samples: Averaged over examples.
        effective_share: The same as a share of the samples.
        active_units: Units whose posterior mean varies by more than `ACTIVE_VARIANCE`.
        mean_variances: Variance over examples of each unit's posterior mean.
        kl_units: Each unit's KL, in nats, averaged over examples.
        codes: Each example's posterior mean.
        mutual_information: See `MutualInformation`; over the held-out examples, or over the training set where those
            are fewer than `FEWEST_POSTERIORS`.
    """

    bound: Float[Array, ""]
    standard_error: Float[Array, ""]
    effective_samples: Float[Array, ""]
    effective_share: Float[Array, ""]
    active_units: Int[Array, ""]
    mean_variances: Float[Array, " latent"]
    kl_units: Float[Array, " latent"]
    codes: Float[Array, "examples latent"]
    mutual_information: MutualInformation


def estimate(
    state: TrainState,
    ended: Bool[Array, ""],
    evaluation: Evaluation,
    *,
    architecture: Architecture,
    samples: int,
    chunk: int,
) -> Estimates:
    """All estimates of a trained VAE on a fixed presentation of held-out examples, in evaluation mode.

    Args:
        state: Here and below as in `validate`.
        ended: Whether the training has ended.
        evaluation: Its held-out examples at least 2.
        architecture: The model's sizes.
        samples: Draws of z for each example, for the importance-weighted bound.
        chunk: How many of them are decoded at once.

    Raises:
        ValueError: If held-out and training examples are both fewer than `FEWEST_POSTERIORS`.
    """
    key, recipe, data, rows = evaluation
    model = trained(chosen(recipe, state, ended), state.statistics, evaluation, architecture=architecture)

    def encode(batch: Batch) -> Any:
        return model.encode(batch, run)

    def log_likelihood(z: Float[Array, "some latent"]) -> Float[Array, " some"]:
        # Of so many draws at once.
        return in_pieces(log_prob, max(1, most // chunk), z, *decoded)

    def log_prob(z: Float[Array, "batch latent"], hidden: Any, batch: Batch) -> Float[Array, " batch"]:
        return architecture.likelihood.log_prob(model.decode(z, hidden, run), batch.target, batch.mask)

    run, batch, count = ForwardPass(recipe), architecture.present(None, rows, data.mean), examples(rows)
    most, encoded = fitting(architecture), batch
    few = count < FEWEST_POSTERIORS
    if few:
        # One after the other through one encoder: two would be compiled twice.
        observed = architecture.present(named_key(key, "observe"), data.train, data.mean)
        encoded = jax.tree.map(lambda *each: jnp.concatenate(each), batch, observed)
    everyone = in_pieces(encode, most, encoded)
    mean, log_var, hidden = jax.tree.map(lambda leaf: leaf[:count], everyone)
    some_mean, some_log_var, decoded = evenly((mean, log_var, (hidden, batch)), max(2, _TIMES * most // samples))
    bound, effective_samples = importance_weighted_bound(
        named_key(key, "importance"), some_mean, some_log_var, log_likelihood, samples=samples, chunk=chunk
    )
    many = jax.tree.map(lambda leaf: leaf[count if few else 0 :], everyone[:2])
    active, variances = active_units(mean)
    return Estimates(
        bound=bound.mean(),
        standard_error=jnp.std(bound, ddof=1) / math.sqrt(len(bound)),
        effective_samples=effective_samples.mean(),
        effective_share=effective_samples.mean() / samples,
        active_units=active,
        mean_variances=variances,
        kl_units=gaussian_kl(mean, log_var).mean(axis=0),
        codes=mean,
        mutual_information=mutual_information(named_key(key, "aggregate"), *many, chunk=chunk),
    )
