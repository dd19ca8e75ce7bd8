"""What a decoder makes of z: what its divergence is, and what becomes of the reconstruction with another z."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from vae_jax.diagnosis.bound.latents import Latent
from vae_jax.diagnosis.bound.likelihood import Likelihood

ACTIVE = 0.01
"""A unit is active if its posterior mean varies more than this over examples (Burda et al. 2016, arXiv:1509.00519)."""

RUN_AWAY = 10.0
"""A logarithm of the variance beyond this, either way, has run to an end: e^10 is 22,000."""

UNUSED = 0.01
"""Below this share of the data's own spread the reconstruction does not change with z."""


class UseOfZ(NamedTuple):
    """One latent and what the decoder makes of it.

    Attributes:
        name: The mark's number with a dot; empty where there is one.
        kl_nats: Of one example, over all units.
        kl_by_unit: Of each unit.
        active: Units whose posterior mean varies over examples.
        run_away: Units whose log_var lies beyond `RUN_AWAY` for most examples.
        log_var: The median over units and examples.
        moves: How much the reconstruction changes with another example's z, as a share of the data's own spread; None
            where z, or the reconstruction, was not found.
        nats: By whose z it was replaced (its own, another example's, zero, the prior's), the reconstruction's negative
            log-likelihood of one example; empty where the likelihood is none that is known.
    """

    name: str
    kl_nats: float
    kl_by_unit: tuple[float, ...]
    active: int
    run_away: int
    log_var: float
    moves: float | None
    nats: dict[str, float]

    @property
    def unused(self) -> bool:
        """Whether the decoder is known not to read it."""
        return self.moves is not None and self.moves < UNUSED


class Plateau(NamedTuple):
    """What a model reaches that knows the data's mean alone.

    Attributes:
        nats: The reconstruction's negative log-likelihood of one example there.
        own: And that of this model, as it is.
    """

    nats: float
    own: float


def read_use(
    latent: Latent,
    mean: np.ndarray,
    width: np.ndarray,
    z: np.ndarray | None,
    decode: Callable[[np.ndarray], np.ndarray] | None,
    likelihood: Likelihood | None,
    axis: int = 0,
) -> UseOfZ:
    """The use of one latent.

    Args:
        latent: It.
        mean: Posterior means, units along the last axis.
        width: What the posterior's width is written as.
        z: What the decoder was given; None where it was not found.
        decode: From a z to the reconstruction, all else as it was; None where z was not found.
        likelihood: Of the reconstruction.
        axis: The example's axis of z.
    """
    with np.errstate(all="ignore"):
        log_var = latent.scale.log_var(width)
        divergence = 0.5 * (np.exp(log_var) + mean**2 - 1 - log_var)
    axes = tuple(range(mean.ndim - 1))
    by_unit = divergence.sum(axis=axes) / len(mean)
    moves, nats = None, {}
    if z is not None and decode is not None:
        draw = np.random.default_rng(0)
        others = {
            "its own": z,
            "another example's": np.roll(z, 1, axis=axis),
            "zero": np.zeros_like(z),
            "the prior's": draw.normal(size=z.shape),
        }
        outputs = {whose: decode(other) for whose, other in others.items()}
        if likelihood is not None:
            nats = {whose: likelihood.nats(output) for whose, output in outputs.items()}
            predicted = {whose: likelihood.family.mean(output) for whose, output in outputs.items()}
            # As far as the output can follow: data of 0 to 255 are beyond a probability.
            told = likelihood.target[likelihood.counted]
            spread = float(np.std(told if likelihood.family.name == "Gaussian" else np.clip(told, 0.0, 1.0)))
        else:
            predicted, spread = outputs, float(np.std(outputs["its own"]))
        moved = max(_rms(predicted[whose] - predicted["its own"]) for whose in ("another example's", "the prior's"))
        moves = moved / spread if spread else float(moved > 0)
    return UseOfZ(
        name=latent.name,
        kl_nats=float(by_unit.sum()),
        kl_by_unit=tuple(by_unit.tolist()),
        active=int((mean.var(axis=0).reshape(-1, mean.shape[-1]).max(axis=0) > ACTIVE).sum()),
        run_away=int((np.median(np.abs(log_var), axis=axes) > RUN_AWAY).sum()),
        log_var=float(np.median(log_var)),
        moves=moves,
        nats=nats,
    )


def read_plateau(likelihood: Likelihood, output: np.ndarray) -> Plateau:
    """What a model reaches that knows each entry's mean alone, and this one.

    Args:
        likelihood: With the target that the loss compares with.
        output: The reconstruction.
    """
    target = likelihood.target
    own_mean = np.broadcast_to(target.mean(axis=0, keepdims=True), target.shape)
    return Plateau(likelihood.nats(likelihood.family.best(own_mean)), likelihood.nats(output))


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))
