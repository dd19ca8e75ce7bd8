"""The operation that passes no gradient on, though one arrives at what it makes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.extend.core import JaxprEqn, Literal

from vae_jax.diagnosis.tracing.interpreter import Body, Run, Value, bodies_backward, real
from vae_jax.diagnosis.tracing.source_line import Line

NO_DERIVATIVE = frozenset({
    "argmax", "argmin", "round", "floor", "ceil", "sign", "stop_gradient", "eq", "ne", "lt", "le", "gt", "ge", "rem",
    "convert_element_type", "is_finite", "sort", "top_k", "nextafter",
})  # fmt: skip
"""Operations whose derivative is 0 wherever it is one."""


class Stopped(NamedTuple):
    """An operation at which a gradient ends.

    Attributes:
        operation: Its name, as JAX calls it.
        line: Where it was written; None where no file of the person's own wrote it.
    """

    operation: str
    line: Line | None


def where_stopped(
    body: Body, cotangents: Sequence[Value | None], wanted: Sequence[int], enclosing: Line | None = None
) -> list[Stopped]:
    """The operations without a derivative at which the gradient ends that some inputs do not get.

    Args:
        body: The function and what it is called with.
        cotangents: What arrives at its outputs; None for each that nothing arrives at.
        wanted: The inputs that get no gradient, by place.
        enclosing: The line of the call that holds it.
    """
    run = Run(body, enclosing)
    moved = run.moved(wanted)
    maker = {variable: equation for equation in run.body.jaxpr.eqns for variable in equation.outvars}
    found: list[Stopped] = []
    reached = list(run.backward(cotangents))
    passed = _with_another_way(run, moved)
    for equation, given, _ in reached:
        inputs = [atom for atom in equation.invars if not isinstance(atom, Literal) and atom in moved]
        if not inputs or not any(_any(value) for value in given if value is not None) or not passed.isdisjoint(inputs):
            continue
        line = run.line(equation)
        asked = [place for place, atom in enumerate(equation.invars) if not isinstance(atom, Literal) and atom in moved]
        inner = [
            each
            for held in bodies_backward(equation, [run.read(atom) for atom in equation.invars], given)
            for each in where_stopped(held, held.cotangents, asked, line)
        ]
        found += inner or [Stopped(*each) for each in _named(run, equation, inputs, moved, maker)]
    return list(dict.fromkeys(found))


def _with_another_way(run: Run, moved: set[Any]) -> set[Any]:
    """The variables that a gradient reaches, and those made of such: whatever ends there, another way passes."""
    passed = {variable for variable in moved if variable in run.arrived and _any(run.arrived[variable])}
    for equation in run.body.jaxpr.eqns:
        if any(not isinstance(atom, Literal) and atom in passed for atom in equation.invars):
            passed.update(variable for variable in equation.outvars if variable in moved)
    return passed


def _named(
    run: Run, equation: JaxprEqn, inputs: Sequence[Any], moved: set[Any], maker: dict[Any, JaxprEqn]
) -> list[tuple[str, Line | None]]:
    """The equation itself, or, of one that is given integers, whichever made them of real numbers."""
    while not any(real(run.read(atom)) for atom in inputs) and inputs[0] in maker:
        equation = maker[inputs[0]]
        inputs = [atom for atom in equation.invars if not isinstance(atom, Literal) and atom in moved]
        if not inputs:
            return []
    name = str(equation.params.get("name") or equation.primitive.name).lstrip("_")
    inside = {each.primitive.name for each in _equations(equation)} & NO_DERIVATIVE
    if equation.primitive.name == "convert_element_type" and all(map(real, map(run.read, equation.outvars))):
        # From one real type to another: what is lost there has underflowed.
        return []
    if equation.primitive.name in NO_DERIVATIVE:
        return [(equation.primitive.name, run.line(equation))]
    # A call of a library's, as jnp.round is.
    return [(name if name in NO_DERIVATIVE else min(inside), run.line(equation))] if inside else []


def _equations(equation: JaxprEqn) -> list[JaxprEqn]:
    held = equation.params.get("jaxpr") or equation.params.get("call_jaxpr")
    jaxpr = getattr(held, "jaxpr", held)
    return [] if jaxpr is None else [each for inner in jaxpr.eqns for each in (inner, *_equations(inner))]


def _any(value: Value) -> bool:
    return real(value) and bool(jnp.any(value != 0))
