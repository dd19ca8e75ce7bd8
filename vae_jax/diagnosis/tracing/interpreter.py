"""A traced function run equation by equation, forward and backward: the slow way, for what has gone wrong.

Each equation is bound on its own, as it would be without `jax.jit`, so that every value and every part of every
gradient can be looked at, and what an equation holds can be opened.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, jaxpr_as_fun

from vae_jax.diagnosis.tracing.graph import bind, opened
from vae_jax.diagnosis.tracing.source_line import Line, line_of

Value = Any

# What `custom_jvp` and the like hold for the forward pass alone; their derivatives are their own.
_FORWARD_ONLY = ("custom_jvp_call", "custom_vjp_call")

# A loop of unknown length is followed this far.
_MOST_STEPS = 10_000


@dataclass(frozen=True)
class Body:
    """What an equation holds, with what it was given there.

    Attributes:
        jaxpr: Its equations.
        constants: Of the jaxpr.
        arguments: What it was called with.
        step: Which step of a loop this is, from 0; None of what runs once.
        cotangents: In a backward pass, what arrives at its outputs; None for each that nothing arrives at.
    """

    jaxpr: Jaxpr
    constants: Sequence[Value]
    arguments: Sequence[Value]
    step: int | None = None
    cotangents: Sequence[Value | None] = ()


class Run:
    """One forward pass of a jaxpr, every value kept.

    Args:
        body: The jaxpr and what it is called with.
        enclosing: The line of the call that holds it.
    """

    def __init__(self, body: Body, enclosing: Line | None = None):
        self.body, self.enclosing = body, enclosing
        # What a backward pass has brought to each variable.
        self.arrived: dict[Any, Value] = {}
        self.values: dict[Any, Value] = dict(zip(body.jaxpr.constvars, body.constants, strict=True))
        self.values |= zip(body.jaxpr.invars, body.arguments, strict=True)
        for equation in body.jaxpr.eqns:
            results = bind(equation)([self.read(atom) for atom in equation.invars])
            self.values |= zip(equation.outvars, results, strict=True)

    def read(self, atom: Any) -> Value:
        """The value of a variable, or of a number written in the code."""
        return atom.val if isinstance(atom, Literal) else self.values[atom]

    def line(self, equation: JaxprEqn) -> Line | None:
        """Where an equation was written."""
        return line_of(equation, self.enclosing)

    def moved(self, places: Sequence[int]) -> set[Any]:
        """The real variables that depend on some of the jaxpr's inputs, by place."""
        found = {self.body.jaxpr.invars[place] for place in places}
        for equation in self.body.jaxpr.eqns:
            if any(not isinstance(atom, Literal) and atom in found for atom in equation.invars):
                found.update(equation.outvars)
        return found

    def backward(self, cotangents: Sequence[Value | None]) -> Iterator[tuple[JaxprEqn, list[Value | None], list[Any]]]:
        """Each equation that a gradient arrives at, the last first, with what arrives and what it hands on.

        Yields:
            The equation; for each of its outputs what has arrived, or None; for each of its inputs what it adds there,
            or None where an input has no gradient.
        """
        arrived = self.arrived = {}

        def add(atom: Any, value: Value | None) -> None:
            if value is not None and not isinstance(atom, Literal):
                arrived[atom] = arrived[atom] + value if atom in arrived else value

        for atom, value in zip(self.body.jaxpr.outvars, cotangents, strict=True):
            add(atom, value)
        for equation in reversed(self.body.jaxpr.eqns):
            given = [arrived.get(variable) for variable in equation.outvars]
            if all(value is None for value in given):
                continue
            inputs = [self.read(atom) for atom in equation.invars]
            handed = pulled(bind(equation), inputs, given)
            yield equation, given, handed
            for atom, value in zip(equation.invars, handed, strict=True):
                add(atom, value)


def pulled(
    function: Callable[[Sequence[Value]], Sequence[Value]], inputs: Sequence[Value], cotangents: Sequence[Value | None]
) -> list[Value | None]:
    """What a function's gradient adds at each of its inputs; None at one that is not real."""
    places = [place for place, value in enumerate(inputs) if real(value)]
    if not places:
        return [None] * len(inputs)

    def run(*given: Value) -> list[Value]:
        everything = list(inputs)
        for place, value in zip(places, given, strict=True):
            everything[place] = value
        results = function(everything)
        return [result for result, cotangent in zip(results, cotangents, strict=True) if cotangent is not None]

    try:
        _, back = jax.vjp(run, *(inputs[place] for place in places))
        parts = back([cotangent for cotangent in cotangents if cotangent is not None])
    except (ValueError, NotImplementedError):
        # A loop of unknown length has no reverse derivative, and the person's own program would have said so.
        parts = [jnp.zeros_like(inputs[place]) for place in places]
    handed: list[Value | None] = [None] * len(inputs)
    for place, part in zip(places, parts, strict=True):
        handed[place] = part
    return handed


def bodies(equation: JaxprEqn, inputs: Sequence[Value]) -> Iterator[Body]:
    """What an equation holds, step by step as it runs; nothing of one that holds no other."""
    name, params = equation.primitive.name, equation.params
    if name == "scan":
        yield from _scan(equation, inputs)
    elif name == "cond":
        index = int(np.clip(int(inputs[0]), 0, len(params["branches"]) - 1))
        yield Body(*opened(params["branches"][index]), inputs[1:])
    elif name == "while":
        yield from _while(equation, inputs)
    else:
        for key in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
            if isinstance(params.get(key), ClosedJaxpr | Jaxpr):
                yield Body(*opened(params[key]), inputs)


def bodies_backward(equation: JaxprEqn, inputs: Sequence[Value], cotangents: Sequence[Value | None]) -> Iterator[Body]:
    """The same with what arrives at their outputs, in the order in which a gradient passes them."""
    if equation.primitive.name in _FORWARD_ONLY:
        return
    steps = list(bodies(equation, inputs))
    if equation.primitive.name == "while":
        return
    if equation.primitive.name != "scan":
        for body in steps:
            yield Body(body.jaxpr, body.constants, body.arguments, None, cotangents)
        return
    fixed, states = equation.params["num_consts"], equation.params["num_carry"]
    state = list(cotangents[:states])
    for body in reversed(steps):
        own = [None if each is None else each[body.step] for each in cotangents[states:]]
        arriving = [*state, *own]
        yield Body(body.jaxpr, body.constants, body.arguments, body.step, arriving)
        handed = pulled(jax.jit(_as_function(body)), body.arguments, arriving)
        state = handed[fixed : fixed + states]


def real(value: Value) -> bool:
    """Whether a value is of a type that has a gradient."""
    return jnp.issubdtype(jax.typeof(value).dtype, jnp.inexact)


def _as_function(body: Body) -> Callable[[Sequence[Value]], Sequence[Value]]:
    closed = ClosedJaxpr(body.jaxpr, list(body.constants))
    return lambda given: jaxpr_as_fun(closed)(*given)


def _scan(equation: JaxprEqn, inputs: Sequence[Value]) -> Iterator[Body]:
    params = equation.params
    fixed, states, length = params["num_consts"], params["num_carry"], params["length"]
    jaxpr, constants = opened(params["jaxpr"])
    run = jax.jit(_as_function(Body(jaxpr, constants, ())))
    state = list(inputs[fixed : fixed + states])
    for step in range(length)[:: -1 if params["reverse"] else 1]:
        given = [*inputs[:fixed], *state, *(each[step] for each in inputs[fixed + states :])]
        yield Body(jaxpr, constants, given, step)
        state = list(run(given)[:states])


def _while(equation: JaxprEqn, inputs: Sequence[Value]) -> Iterator[Body]:
    params = equation.params
    of_condition, of_body = params["cond_nconsts"], params["body_nconsts"]
    asked = jax.jit(_as_function(Body(*opened(params["cond_jaxpr"]), ())))
    jaxpr, constants = opened(params["body_jaxpr"])
    run = jax.jit(_as_function(Body(jaxpr, constants, ())))
    state = list(inputs[of_condition + of_body :])
    for step in range(_MOST_STEPS):
        if not bool(asked([*inputs[:of_condition], *state])[0]):
            return
        given = [*inputs[of_condition : of_condition + of_body], *state]
        yield Body(jaxpr, constants, given, step)
        state = list(run(given))
