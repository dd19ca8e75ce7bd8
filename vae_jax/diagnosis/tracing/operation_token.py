"""Whether two operations do the same, so that what was compiled for one serves the other."""

from collections.abc import Hashable
from typing import Any, cast

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn

# A larger constant is compared by identity.
_SMALL = 16


def token_of(equation: JaxprEqn) -> Hashable:
    """Equal for equations that do the same, derivatives included, to values of the same shapes and types.

    What holds a function that cannot be compared, as the backward rule of a `custom_vjp`, equals itself alone.
    """
    params = dict(equation.params)
    if "jvp_jaxpr_fun" in params:
        inputs = len(equation.invars) - params["num_consts"]
        jaxpr, constants, zeros = params["jvp_jaxpr_fun"].call_wrapped(*[False] * inputs)
        # Its text alone: a rule may call its own function again.
        params["jvp_jaxpr_fun"] = (str(jaxpr), tuple(constants), tuple(zeros))
    return equation.primitive.name, tuple((name, _token(value)) for name, value in sorted(params.items()))


def _token(value: Any) -> Hashable:
    if isinstance(value, ClosedJaxpr):
        return _token(value.jaxpr), tuple(map(_token, value.consts))
    if isinstance(value, Jaxpr):
        # The text shows neither constants nor the rules of derivatives.
        return str(value), tuple(token_of(each) for each in value.eqns if _holds_functions(each))
    if isinstance(value, tuple | list):
        return tuple(map(_token, value))
    if isinstance(value, dict):
        return tuple((key, _token(each)) for key, each in sorted(value.items()))
    if isinstance(value, jax.Array | np.ndarray) and value.size <= _SMALL and isinstance(value.dtype, np.dtype):
        return value.shape, str(value.dtype), np.asarray(value).tobytes()
    if callable(value):
        return _Same(value)
    try:
        hash(value)
    except TypeError:
        return _Same(value)
    return cast("Hashable", value)


def _holds_functions(equation: JaxprEqn) -> bool:
    values = [
        part for value in equation.params.values() for part in (value if isinstance(value, tuple | list) else (value,))
    ]
    return any(isinstance(value, ClosedJaxpr | Jaxpr) or callable(value) for value in values)


class _Same:
    """Equal to what holds the very same object, which it keeps alive."""

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)
