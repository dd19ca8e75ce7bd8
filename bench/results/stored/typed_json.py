"""Records as JSON and back, checked against their types. No jax."""

import json
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

R = TypeVar("R")


def dump(value: Any) -> bytes:
    """JSON of plain values.

    Raises:
        ValueError: If there is NaN or infinity among them: they are no JSON, and other readers refuse them.
    """
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def typed(kind: type[R], value: Any) -> R:
    """A record of plain values, as JSON has them.

    Raises:
        TypeError: If the values are not those of such a record.
    """
    return _typed(kind, value, kind.__name__)


def _typed(kind: Any, value: Any, where: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType):
        return None if value is None else _typed(next(each for each in inner if each is not NoneType), value, where)
    if origin is tuple and isinstance(value, list | tuple):
        kinds = inner[:1] * len(value) if inner[-1] is ... else inner
        if len(kinds) == len(value):
            return tuple(_typed(each, member, where) for each, member in zip(kinds, value, strict=True))
    elif origin is dict and isinstance(value, dict):
        return {name: _typed(inner[1], member, f"{where}.{name}") for name, member in value.items()}
    elif is_dataclass(kind) and isinstance(value, dict):
        kinds = get_type_hints(kind)
        needed = {each.name for each in fields(kind) if each.default is each.default_factory is MISSING}
        if not needed <= value.keys() <= kinds.keys():
            names = ", ".join(sorted((needed - value.keys()) | (value.keys() - kinds.keys())))
            raise TypeError(f"{where} lacks, or does not know, {names}")
        return kind(**{name: _typed(kinds[name], member, f"{where}.{name}") for name, member in value.items()})  # type: ignore
    elif kind in (int, float) and type(value) in (int, float):
        # 2.0 and 2 are one number in JSON.
        return kind(value) if kind(value) == value else value
    elif type(value) is kind:
        return value
    raise TypeError(f"{where} is {value!r:.40}")
