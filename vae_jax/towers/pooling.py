"""Readings of all states for a recurrent tower's head: `(hidden, mask) -> h`.

The mask says which steps of which sequence are there, None where all are; past its end a sequence keeps its last state.
"""

from jaxtyping import Array, Bool, Float

States = Float[Array, "steps batch width"]
Mask = Bool[Array, "steps batch"] | None
Hidden = Float[Array, "batch width"]


def last_state(hidden: States, mask: Mask = None) -> Hidden:
    """The last state: the gradient of the first step passes through all the others."""
    return hidden[-1]


def mean_state(hidden: States, mask: Mask = None) -> Hidden:
    """The mean of all states: every step is one step from the head.

    Source:
        Long, Cao & Cheung 2019, arXiv:1911.03976.
    """
    return hidden.mean(axis=0, where=None if mask is None else mask[..., None])
