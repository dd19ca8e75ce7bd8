"""Ratios of norms, of which either may be zero or no number."""

import math


def ratio_of_norms(first: float, last: float) -> float:
    """rms dL/dh at the first block over that at the last; 0 where none comes back at the first, whatever the last's."""
    return 0.0 if first == 0 else quotient(first, last)


def quotient(one: float, other: float) -> float:
    """One number over another: infinite over zero, 1 where both are zero, and no number where one is none."""
    if other == 0:
        return 1.0 if one == 0 else one * math.inf
    return one / other
