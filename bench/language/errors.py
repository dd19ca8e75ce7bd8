"""Errors of a person who types or writes something: told in a sentence, never as a traceback."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """A sentence with the value, the rule, and the nearest valid name or the cure."""


class ConflictError(InputError):
    """Two remedies of one arm put different values into one slot."""

    def __init__(self, first: str, second: str, arm: str, slot: str):
        super().__init__(
            f"{first!r} and {second!r} in arm {arm!r} put different values into the slot {slot!r}: keep one of them"
        )
        self.slot = slot


def unknown(kind: str, name: str, valid: Iterable[str], listing: str = "") -> InputError:
    """The error for a name that is not there: the nearest one that is, or all of them.

    Args:
        kind: What the name should have been, as `remedy`.
        name: What was given.
        valid: The names there are.
        listing: The command that lists them.
    """
    names = sorted(valid)
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        hint = f"did you mean {close[0]!r}?"
    elif len(names) <= 12:
        hint = f"choose one of {', '.join(names)}" if names else "there is none"
    else:
        hint = f"there are {len(names)}"
    where = f" ({listing} shows all)" if listing else ""
    return InputError(f"unknown {kind} {name!r}: {hint}{where}")


def briefly(error: BaseException, kind: bool = False) -> str:
    """The first line of what an error says, after its kind if that is wanted."""
    said = str(error).strip().partition("\n")[0]
    return ": ".join(part for part in (type(error).__name__ if kind else "", said) if part)
