"""How one check of a remedy ends."""

from dataclasses import dataclass

OK, FAILED, NEITHER = "ok", "failed", "does not apply"


@dataclass(frozen=True)
class CheckResult:
    """The end of one check of one remedy.

    Attributes:
        remedy: Its name.
        check: The check, in words.
        status: `ok`, `failed` or `does not apply`.
        said: What was found, or why not.
    """

    remedy: str
    check: str
    status: str
    said: str = ""


class CheckError(Exception):
    """A check has failed, and why."""


class Skip(Exception):  # noqa: N818, since it is no error
    """A check does not apply, and why."""
