"""Readings of all states for a recurrent tower's head: `(hidden) -> h`."""

from jaxtyping import Array, Float

States = Float[Array, "steps batch width"]
Hidden = Float[Array, "batch width"]


def last_state(hidden: States) -> Hidden:
    """The last state: the gradient of the first step passes through all the others."""
    return hidden[-1]


def mean_state(hidden: States) -> Hidden:
    """The mean of all states: every step is one step from the head.

    Source:
        Long, Cao & Cheung 2019, arXiv:1911.03976.
    """
    return hidden.mean(axis=0)
