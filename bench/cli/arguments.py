"""From what was typed to a command that is ready to run."""

import contextlib
import functools
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tyro

from bench.language.errors import InputError

Command = Callable[..., int]


def parse(commands: Mapping[str, Command], arguments: Sequence[str]) -> Callable[[], int]:
    """The command that the first argument names, with the others bound.

    Args:
        commands: By name; their parameters and docstrings are what can be given, and the help.
        arguments: What was typed; without any, the help is printed.

    Raises:
        InputError: If an argument does not hold.
        SystemExit: Where help was asked for.
    """
    bound = {name: _deferred(function) for name, function in commands.items()}
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
        named = f"{arguments[0]} " if arguments and arguments[0] in commands else ""
        raise InputError(f"{first.rstrip('.')}; python -m bench {named}--help shows what can be given") from None


def _deferred(function: Command) -> Callable[..., Callable[[], int]]:
    """A function of the same signature that only binds its arguments: it runs outside the parser's error handling."""

    @functools.wraps(function)
    def bind(*arguments: Any, **named: Any) -> Callable[[], int]:
        return functools.partial(function, *arguments, **named)

    return bind
