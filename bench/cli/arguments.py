"""From what was typed to a command that is ready to run."""

import contextlib
import functools
import inspect
import io
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tyro

from bench.cli.spelling import require_one_value_each
from bench.language.errors import InputError

Command = Callable[..., int]


def parse(commands: Mapping[str, Command], arguments: Sequence[str]) -> Callable[[], int]:
    """The command that the first argument names, with the others bound.

    Args:
        commands: By name; their parameters and docstrings are what can be given, and the help. One whose first
            parameter is `typed` is given the whole command as a line there.
        arguments: What was typed; without any, the help is printed.

    Raises:
        InputError: If an argument does not hold.
        SystemExit: Where help was asked for.
    """
    typed = shlex.join(["python", "-m", "bench", *arguments])
    bound = {name: _deferred(function, typed) for name, function in commands.items()}
    named = arguments[0] if arguments and arguments[0] in commands else ""
    if named and not {"-h", "--help"} & set(arguments):
        require_one_value_each(named, inspect.signature(bound[named]).parameters.values(), arguments[1:])
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.extras.subcommand_cli_from_dict(
                bound, prog="python -m bench", description="A deep VAE has stalled: which remedy mends it?",
                args=list(arguments) or ["--help"], config=(tyro.conf.OmitArgPrefixes,),
            )  # fmt: skip
    except SystemExit as ended:
        if ended.code != 2:
            raise
        # The parser draws a box of many lines; what is wrong stands in its first paragraph.
        lines = [line.strip("│╭╮╰╯─ \n") for line in said.getvalue().splitlines()]
        first = " ".join(lines[1 : lines.index("", 1)] if "" in lines[1:] else lines[1:])
        page = shlex.join(["python", "-m", "bench", *([named] if named else []), "--help"])
        raise InputError(f"{first.rstrip('.')}; {page} shows what can be given") from None


def _deferred(function: Command, typed: str) -> Callable[..., Callable[[], int]]:
    """A function of the same signature that only binds its arguments: it runs outside the parser's error handling."""
    parameters = dict(inspect.signature(function).parameters)
    first = [typed] if parameters.pop("typed", None) else []

    @functools.wraps(function)
    def bind(*arguments: Any, **named: Any) -> Callable[[], int]:
        return functools.partial(function, *first, *arguments, **named)

    # What the parser goes by.
    vars(bind)["__signature__"] = inspect.Signature(list(parameters.values()))
    return bind
