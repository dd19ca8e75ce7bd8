"""The first value that is not a number: which operation made it, of what, and in which line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jax.extend.core import JaxprEqn, Literal

from vae_jax.diagnosis.tracing.interpreter import Body, Run, Value, bodies, bodies_backward, real
from vae_jax.diagnosis.tracing.source_line import Line

# They choose between values or move them: an infinite number that one hands on was written by the person, as in a mask.
_HANDS_ON = frozenset({
    "select_n", "broadcast_in_dim", "reshape", "concatenate", "copy", "convert_element_type", "pad", "slice",
    "dynamic_slice", "gather", "squeeze", "transpose", "neg",
})  # fmt: skip


@dataclass(frozen=True)
class NotFinite:
    """Where values stopped being numbers.

    Attributes:
        what: "parameter", "batch", "result" or "derivative".
        operation: The name of the operation, as JAX calls it; of a parameter or the batch its path.
        line: Where it was written; None where no file of the person's own wrote it.
        low: Of what went in the least number.
        high: And the largest.
        made: "NaN" or "infinite".
        steps: In loops, the step of each, from 0.
        count: Of a parameter or the batch, how many entries are not finite.
        size: Of how many.
        then: Where the infinite value became NaN, if that was elsewhere.
    """

    what: str
    operation: str
    line: Line | None
    low: float
    high: float
    made: str
    steps: tuple[int, ...] = ()
    count: int = 0
    size: int = 0
    then: "NotFinite | None" = None


def not_finite_leaves(tree: Any, what: str) -> list[NotFinite]:
    """The leaves of a tree that hold a value that is not a number, each with its path and how many."""
    found = []
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        if not real(leaf):
            continue
        array = np.asarray(leaf).astype(np.complex128 if np.iscomplexobj(leaf) else np.float64)
        bad = int(array.size - np.isfinite(array).sum())
        if bad:
            name = "/".join(jax.tree_util.keystr((key,), simple=True) for key in path)
            made = "NaN" if np.isnan(array).any() else "infinite"
            found.append(NotFinite(what, name, None, *_range([leaf]), made, count=bad, size=array.size))
    return found


def first_result(body: Body, enclosing: Line | None = None, places: Sequence[int] | None = None) -> NotFinite | None:
    """The operation whose inputs are finite and whose result is not, and from which it reaches some outputs.

    An infinite number that the person wrote, as in a mask, is no fault until it becomes NaN.

    Args:
        body: The function and what it is called with.
        enclosing: The line of the call that holds it.
        places: Which of its outputs; all, by default.
    """
    run = Run(body, enclosing)
    outputs = body.jaxpr.outvars if places is None else [body.jaxpr.outvars[place] for place in places]
    return _origin(run, outputs)


def _origin(run: Run, outputs: Iterable[Any]) -> NotFinite | None:
    """The operation that made what is not finite among some variables."""
    guilty = _ways(run, outputs)
    origins = [equation for equation in guilty if not _bad(run, equation.invars)]
    origins = [equation for equation in origins if not _hands_on(run, equation)] or [
        equation for equation in guilty if _nan(run, equation.outvars) and not _nan(run, equation.invars)
    ]
    if not origins:
        return None
    found = _opened(run, origins[0])
    if found.made == "infinite":
        later = [each for each in guilty if _nan(run, each.outvars) and not _nan(run, each.invars)]
        if later and later[0] is not origins[0]:
            found = replace(found, then=_opened(run, later[0]))
    return found


def first_derivative(
    body: Body, cotangents: Sequence[Value | None], wanted: Sequence[int], enclosing: Line | None = None
) -> NotFinite | None:
    """The operation whose derivative made a number out of finite ones that is none, on the way to some inputs.

    Args:
        body: The function and what it is called with.
        cotangents: What arrives at its outputs; None for each that nothing arrives at.
        wanted: The inputs whose gradient is asked for, by place.
        enclosing: The line of the call that holds it.
    """
    run = Run(body, enclosing)
    moved = run.moved(wanted)
    for equation, given, handed in run.backward(cotangents):
        on_the_way = [
            value for atom, value in zip(equation.invars, handed, strict=True)
            if value is not None and not isinstance(atom, Literal) and atom in moved
        ]  # fmt: skip
        if all(map(_finite, on_the_way)) or not all(_finite(value) for value in given if value is not None):
            continue
        forward = _origin(run, [*equation.invars, *equation.outvars])
        if forward is not None:
            # It was no number before, and something after it kept that from the loss, but not from the gradient.
            return forward
        inputs = [run.read(atom) for atom in equation.invars]
        line = run.line(equation)
        asked = [place for place, atom in enumerate(equation.invars) if not isinstance(atom, Literal) and atom in moved]
        for inner in bodies_backward(equation, inputs, given):
            found = first_derivative(inner, inner.cotangents, asked, line)
            if found is not None:
                return replace(found, steps=(*_step(inner), *found.steps))
        made = "NaN" if any(_has_nan(value) for value in on_the_way) else "infinite"
        return NotFinite("derivative", _name(equation), line, *_range(inputs), made)
    return None


def _ways(run: Run, outputs: Iterable[Any]) -> list[JaxprEqn]:
    """The equations that made what is not finite, back from some outputs through what is not, in their order."""
    maker = {variable: equation for equation in run.body.jaxpr.eqns for variable in equation.outvars}
    waiting = [atom for atom in outputs if not isinstance(atom, Literal) and not _finite(run.read(atom))]
    seen: set[Any] = set()
    while waiting:
        variable = waiting.pop()
        if variable in seen or variable not in maker:
            continue
        seen.add(variable)
        waiting += _bad(run, maker[variable].invars)
    return [equation for equation in run.body.jaxpr.eqns if not seen.isdisjoint(equation.outvars)]


def _bad(run: Run, atoms: Iterable[Any]) -> list[Any]:
    return [atom for atom in atoms if not isinstance(atom, Literal) and not _finite(run.read(atom))]


def _nan(run: Run, atoms: Iterable[Any]) -> bool:
    return any(_has_nan(run.read(atom)) for atom in atoms)


def _hands_on(run: Run, equation: JaxprEqn) -> bool:
    """Whether an equation only hands on an infinite number that is written in the code."""
    if equation.primitive.name in _HANDS_ON:
        return not _nan(run, equation.outvars)
    inputs = [run.read(atom) for atom in equation.invars]
    inner = next(bodies(equation, inputs), None)
    # As `jnp.where`, which is a call.
    return inner is not None and not _nan(run, equation.outvars) and all(
        each.primitive.name in _HANDS_ON for each in inner.jaxpr.eqns
    )  # fmt: skip


def _opened(run: Run, equation: JaxprEqn) -> NotFinite:
    """What an equation did, or the one inside it that did it."""
    inputs, line = [run.read(atom) for atom in equation.invars], run.line(equation)
    for inner in bodies(equation, inputs):
        found = first_result(inner, line)
        if found is not None:
            return replace(found, steps=(*_step(inner), *found.steps))
    made = "NaN" if _nan(run, equation.outvars) else "infinite"
    return NotFinite("result", _name(equation), line, *_range(inputs), made)


def _step(body: Body) -> tuple[int, ...]:
    return () if body.step is None else (body.step,)


def _name(equation: JaxprEqn) -> str:
    return str(equation.params.get("name") or equation.primitive.name)


def _range(values: Iterable[Value]) -> tuple[float, float]:
    """The least and the largest finite number among values."""
    numbers = [np.abs(array) if np.iscomplexobj(array) else array
               for array in (np.asarray(value) for value in values if real(value))]  # fmt: skip
    finite = [array.astype(np.float64)[np.isfinite(array.astype(np.float64))] for array in numbers]
    ends = [(float(array.min()), float(array.max())) for array in finite if array.size]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else (np.nan, np.nan)


def _finite(value: Value) -> bool:
    return not real(value) or bool(jax.numpy.isfinite(value).all())


def _has_nan(value: Value) -> bool:
    return real(value) and bool(jax.numpy.isnan(value).any())
