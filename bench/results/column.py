"""A column of the results: one decorated function of a cell. No jax."""

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.language.arms import NAME
from bench.language.errors import InputError, briefly
from bench.language.figures import significant, thousands

_TYPES = {str: "str", int: "Int64", float: "float64", bool: "boolean"}
"""The kinds of a column's values, and the type of its column in a frame, in which nothing is empty and not zero."""

NEVER, LAST_TO_GO, ALWAYS = 0, 9, 10
"""Places in a terminal: not shown there, dropped after all others where it is narrow, and never dropped."""


@dataclass(frozen=True)
class Column:
    """A column, as `@column` makes one of a function.

    Attributes:
        name: The function's name: the column of summary.csv.
        unit: Of its values; empty for words and for what has none.
        title: Its head in tables for reading, where {score} and {unit} are the workload's; empty for one that only
            summary.csv has.
        says: One sentence on what it means.
        kind: `str`, `int`, `float` or `bool`.
        function: From a cell's `Row` to the value, or None where there is none.
        text: From the table's row, with the values of all columns, to the text in tables for reading.
        terminal: Which a narrow terminal drops first: the lowest above `NEVER`; `ALWAYS` stays.
        planned: Whether a cell has it that is not stored.
    """

    name: str
    unit: str
    title: str
    says: str
    kind: type
    function: Callable[[Any], Any]
    text: Callable[[Any], str]
    terminal: int = LAST_TO_GO
    planned: bool = False

    @property
    def type(self) -> str:
        """The type of its column in a frame."""
        return _TYPES[self.kind]

    @property
    def words(self) -> bool:
        """Whether it is words, which are written to the left, or a figure."""
        return self.kind is str

    def value(self, row: Any) -> Any:
        """A cell's value.

        Raises:
            InputError: If the function raises or gives another type than it says, with its file and line.
        """
        if row.stored is None and not self.planned:
            return None
        try:
            value = self.function(row)
            if value is not None and type(value) is not self.kind:
                given, value = value, self.kind(value)
                if self.kind is str or not (value == given or value != value):
                    raise TypeError(f"gave {given!r:.40}, where it says {self.kind.__name__}")
            return value
        except Exception as error:
            raise InputError(said("column", self.name, self.function, error)) from error


def column(
    *,
    unit: str,
    title: str,
    says: str,
    text: Callable[[Any], str] | None = None,
    terminal: int = LAST_TO_GO,
    planned: bool = False,
) -> Callable[[Callable[[Any], Any]], Column]:
    """Make a column of a function `(row) -> value`, whose return type says what it holds.

    Args:
        unit: Of its values; empty for words and for what has none.
        title: Its head in tables for reading, where {score} and {unit} are the workload's; empty to keep it to
            summary.csv.
        says: One sentence on what it means, for those who read summary.csv.
        text: From the table's row, with the values of all columns, to the text in tables for reading; without it a
            number has two digits, a count three.
        terminal: Which a narrow terminal drops first: the lowest above `NEVER`; `ALWAYS` stays.
        planned: Whether a cell has it that is not stored; of all others the function is given stored cells alone.

    Raises:
        InputError: If it is no function with a name, says nothing, or does not say what it returns.
    """

    def make(function: Callable[[Any], Any]) -> Column:
        what = named("column", function, 1)
        if not says.strip():
            raise InputError(f"{what} says nothing: write @column(unit=..., title=..., says='what it means')")
        kind = _returned(function)
        if kind is None:
            raise InputError(f"{what} does not say what it returns: write def {function.__name__}(row) -> float, or "
                             "int, str or bool, each alone or with | None")  # fmt: skip
        return Column(function.__name__, unit, title, says, kind, function,
                      text or _plain(function.__name__, kind), terminal, planned)  # fmt: skip

    return make


def named(kind: str, function: Any, arguments: int) -> str:
    """Name a decorated function in words, if it is one that can be named and called.

    Raises:
        InputError: If it is not.
    """
    if not inspect.isfunction(function):
        raise InputError(f"@{kind} is for a function, got {function!r:.80}: write it in a line over def name(...)")
    code = function.__code__
    what = f"{kind} {function.__name__!r} in {code.co_filename}, line {code.co_firstlineno},"
    if not NAME.fullmatch(function.__name__):
        raise InputError(f"{what} has a name that cannot be typed: letters, digits and _, a letter first")
    if code.co_argcount != arguments:
        raise InputError(f"{what} takes {code.co_argcount} arguments: it is given {arguments}")
    return what


def said(kind: str, name: str, function: Any, error: Exception) -> str:
    """A sentence on what a function raised, with the last line of its own file that it came through."""
    code = function.__code__
    own = [each for each in traceback.extract_tb(error.__traceback__) if each.filename == code.co_filename]
    line = own[-1].lineno if own else code.co_firstlineno
    return f"{kind} {name!r} in {code.co_filename}, line {line}, raised {briefly(error, kind=True)}"


def _returned(function: Any) -> type | None:
    annotation = inspect.get_annotations(function).get("return")
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", None) or str(annotation)
    found = [kind for kind in _TYPES if kind.__name__ == text.removesuffix("| None").strip()]
    return found[0] if found else None


def _plain(name: str, kind: type) -> Callable[[Any], str]:
    write = {str: str, int: thousands, float: significant, bool: lambda value: "yes" if value else "no"}[kind]
    return lambda row: "" if (value := getattr(row, name)) is None else write(value)
