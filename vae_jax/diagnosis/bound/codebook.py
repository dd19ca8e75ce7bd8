"""Quantisers of a traced model, and how many of their codes are used."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from vae_jax.diagnosis.layers.chain import Chain
from vae_jax.diagnosis.tracing.graph import MATRIX_PRODUCTS
from vae_jax.diagnosis.tracing.passes import Value
from vae_jax.diagnosis.tracing.source_line import Line

_FEW = 2

# Of a smaller choice that few are taken says nothing.
_LEAST_CODES = 8


class Quantiser(NamedTuple):
    """A choice of one of several codes.

    Attributes:
        choice: The number of the value that holds the codes' numbers.
        codes: How many there are to choose from.
        line: Where it is written.
    """

    choice: int
    codes: int
    line: Line | None


class Codebook(NamedTuple):
    """What was read of a quantiser.

    Attributes:
        codes: How many codes there are.
        used: How many of them this batch uses.
        line: Where it is written.
    """

    codes: int
    used: int
    line: Line | None

    @property
    def few(self) -> bool:
        """Whether so few are used that nothing is told apart."""
        return self.codes >= _LEAST_CODES and self.used <= _FEW


def find_codebooks(chain: Chain) -> list[Quantiser]:
    """The choices of a smallest or largest entry of the signal that go on to a layer through something learnt."""
    graph = chain.graph
    found = []
    for operation in graph.operations:
        inner = operation.names & {"argmin", "argmax"}
        if not inner or operation.inputs[0] not in graph.signal:
            continue
        given, made = graph.shapes[operation.inputs[0]], graph.shapes[operation.outputs[0]]
        codes = math.prod(given.shape) // max(math.prod(made.shape), 1)
        reached = {operation.outputs[0]}
        looked_up = False
        for later in graph.operations:
            if reached.isdisjoint(later.inputs):
                continue
            learnt = any(graph.sources.get(number) for number in later.inputs)
            looked_up |= learnt and bool(later.names & ({"gather"} | MATRIX_PRODUCTS))
            reached.update(later.outputs)
        if looked_up and codes > 1:
            found.append(Quantiser(operation.outputs[0], codes, operation.line))
    return found


def read_codebook(quantiser: Quantiser, values: Mapping[int, Value]) -> Codebook:
    """How many of its codes a batch uses."""
    used = len(np.unique(np.asarray(values[quantiser.choice])))
    return Codebook(quantiser.codes, used, quantiser.line)
