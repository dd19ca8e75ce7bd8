"""The way from one step of a recurrence to the next: noise on it in training, and how far gradients go back."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from vae_jax.recipe.configured import Number
from vae_jax.recipe.keys import named_key

State = tuple[Float[Array, "batch width"], ...]

Remaining = Int[Array, ""] | Int[Array, "batch 1"]
"""Steps to come, with this one: of all sequences alike, or of each its own."""


def no_zoneout(before: State, after: State, key: PRNGKeyArray | None) -> State:
    """The new state, all of it."""
    return after


def zoneout(before: State, after: State, key: PRNGKeyArray | None, *, hidden: Number, memory: Number) -> State:
    """Every entry keeps its old value with a probability of its own; in evaluation, the mean of old and new.

    Args:
        before: h, and a memory cell where there is one.
        after: The same, one step on.
        key: Of the draws; None in evaluation.
        hidden: Probability for an entry of h.
        memory: For an entry of the memory cell.

    Source:
        Krueger et al. 2017, arXiv:1606.01305.
    """
    kept = []
    for name, rate, old, new in zip(("hidden", "memory"), (hidden, memory), before, after, strict=False):
        if key is None:
            kept.append(new + rate * (old - new))
        else:
            kept.append(jnp.where(jax.random.bernoulli(named_key(key, name), rate, new.shape), old, new))
    return tuple(kept)


def whole_past(state: State, remaining: Remaining) -> State:
    """The state with its past: the gradient goes back to the first step."""
    return state


def truncated(state: State, remaining: Remaining, *, steps: int) -> State:
    """The state, as a constant at every `steps`-th step counted from the last: no gradient passes there.

    Args:
        state: What a step is given.
        remaining: Steps to come.
        steps: Between two cuts.

    Source:
        Williams & Peng 1990, Neural Computation 2(4), with cuts at fixed places.
    """
    cut = remaining % steps == 0
    return tuple(jnp.where(cut, jax.lax.stop_gradient(each), each) for each in state)
