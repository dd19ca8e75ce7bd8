"""How one check of a remedy or workload ends."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.language.errors import InputError, briefly
from bench.plugins.own_code import line

OK, FAILED, NEITHER = "ok", "failed", "does not apply"


@dataclass(frozen=True)
class CheckResult:
    """The end of one check of one remedy or workload.

    Attributes:
        name: Of what is checked.
        check: The check, in words.
        status: `ok`, `failed` or `does not apply`.
        said: What was found, or why not.
    """

    name: str
    check: str
    status: str
    said: str = ""


class CheckError(Exception):
    """A check has failed, and why."""


class Skip(Exception):  # noqa: N818, since it is no error
    """A check does not apply, and why."""


def said_of(error: BaseException, function: Callable[..., Any]) -> str:
    """A sentence on why a check has failed.

    Args:
        error: What it raised.
        function: A person's own, that is checked.
    """
    if isinstance(error, CheckError | InputError):
        return str(error)
    return f"it raises {briefly(error, kind=True)}; mend it in {line(error, function)}"
