"""A person's own code: where it is written, whether it can be named, and what it raises, in a sentence."""

import inspect
import math
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from bench.language.arms import NAME, Term
from bench.language.errors import InputError, briefly


class OwnCodeError(InputError):
    """A person's own code raises, or gives what nothing can use: the arm that it belongs to has no figures."""


def require_function(kind: str, function: Any, sentence: str) -> str:
    """Name a decorated function in words, if it is one that can be named."""
    if not inspect.isfunction(function):
        raise InputError(f"@{kind} is for a function, got {function!r:.80}: write it in a line over def name(...)")
    name = f"{kind} {function.__name__!r} in {location(function)},"
    if not NAME.fullmatch(function.__name__):
        raise InputError(f"{name} has a name that cannot be typed: letters, digits and _, a letter first")
    if not (function.__doc__ or "").strip():
        raise InputError(f"{name} needs a docstring: {sentence}")
    return name


def require_settable(name: str, parameters: Iterable[inspect.Parameter]) -> None:
    """Raise unless what is typed can be given to each parameter."""
    for each in parameters:
        if each.kind not in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY) or not NAME.fullmatch(each.name):
            raise InputError(f"{name} has a parameter that nobody can set, {str(each)!r}: write *, {each.name}=default")
        if each.default is each.empty:
            raise InputError(f"{name} needs a default for the parameter {each.name!r}: write {each.name}=value")
        plain = type(each.default) in (bool, int, float, str)
        if not plain or (isinstance(each.default, float) and not math.isfinite(each.default)):
            raise InputError(
                f"{name} has a default for the parameter {each.name!r} that nobody can type, {each.default!r:.80}: "
                "a finite number, true or false, or a name"
            )


def location(function: Callable[..., Any]) -> str:
    """File and line where a function is written."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}, line {code.co_firstlineno}" if code else f"module {function.__module__}"


def call(
    what: str,
    name: str,
    function: Callable[..., Any],
    *given: Any,
    passing: tuple[type[Exception], ...] = (),
    **parameters: Any,
) -> Any:
    """Call a person's own function.

    Args:
        what: What the function is, as `remedy`.
        name: What it is called.
        function: The function.
        *given: What it is given always.
        passing: What it may raise that goes on as it is.
        **parameters: What was typed for it.

    Raises:
        InputError: If a parameter that was typed does not hold.
        OwnCodeError: If it raises anything else, with the last line of its own file that this came through.
    """
    try:
        return function(*given, **parameters)
    except (InputError, *passing):
        raise
    except (Exception, SystemExit) as error:
        typed = f"{what} {str(Term(name, tuple(parameters.items())))!r}"
        if parameters and isinstance(error, ValueError):
            # What was typed may have to be mended, and of what is built in nothing else.
            if function.__module__.startswith("bench."):
                raise InputError(f"{typed}: {briefly(error)}") from error
            raise OwnCodeError(f"{typed}: {briefly(error)}; {line(error, function)}") from error
        raise OwnCodeError(f"{typed} raised {briefly(error, kind=True)}; mend it in {line(error, function)}") from error


def line(error: BaseException, function: Callable[..., Any]) -> str:
    """File and line of a function's own file that an error came through last, or else where the function is written."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return (code and raised_in(error, code.co_filename)) or location(function)


def raised_in(error: BaseException, *roots: str) -> str:
    """File and line of the last of some files that an error came through; empty where it came through none.

    Args:
        error: As it was caught.
        *roots: Files, and folders of them.
    """
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(roots)]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else ""


def load_error(what: str, error: BaseException, root: str) -> InputError:
    """A sentence for what importing a person's code raised.

    Args:
        what: What was loaded, in words that end with its file or name.
        error: What it raised.
        root: The file or folder in which to look for the line; empty for none.
    """
    where = raised_in(error, root) if root else ""
    if isinstance(error, InputError):
        # What a decorator says names the file, but where it stands over nothing that has one.
        named = where.rpartition(", line ")[0] in str(error)
        return error if named else InputError(f"{where}: {error}")
    if isinstance(error, SyntaxError):
        if not error.lineno:
            return InputError(f"{what} does not parse: {error.msg}; save it as text in UTF-8")
        where, said = f"{error.filename}, line {error.lineno}", f"does not parse: {error.msg}"
    else:
        said = f"raised {type(error).__name__} when it was loaded: {briefly(error)}".removesuffix(": ")
    if where:
        # The line may be one of a file that it imports.
        file, _, number = where.rpartition(", line ")
        what = f"{what}, line {number}," if what.endswith(file) else f"{what}: {where},"
    return InputError(f"{what} {said}")
