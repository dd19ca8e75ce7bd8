"""What the weights of a recurrent cell's input are multiplied by once they are drawn: `(inputs) -> gain`."""

import math


def as_drawn(inputs: int) -> float:
    """1: the weights as the recipe's initializer draws them, mostly with variance 1 / inputs."""
    return 1.0


def embedded(inputs: int) -> float:
    """The square root of how many inputs there are: of symbols one is on and all others are off.

    What a step sums up is then one row of the matrix, and has variance 1 instead of 1 / inputs: a symbol is embedded
    as widely as a state may be, and is not drowned in what the matrix from state to state gives.
    """
    return math.sqrt(inputs)
