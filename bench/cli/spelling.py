"""The sentence for more words than an option takes: a space was typed where a comma or quotes should stand."""

import math
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from inspect import Parameter
from typing import get_args

from tyro.conf import Positional, UseAppendAction

from bench.language.errors import InputError

_POSITIONAL, _APPENDED = (get_args(marked)[1] for marked in (Positional[str], UseAppendAction[str]))

# Whose value is a list with commas.
_ARMS = "--arms"


def require_one_value_each(command: str, parameters: Iterable[Parameter], arguments: Sequence[str]) -> None:
    """Raise if more words follow an option than it takes, or arms are given twice, where the first would be lost.

    Args:
        command: The command's name.
        parameters: What it can be given.
        arguments: What was typed after its name.

    Raises:
        InputError: With the right spelling of what was typed.
    """
    options, room = {}, 0.0
    for each in parameters:
        # A word that Python keeps for itself, as `from`, has a line after it there.
        option = f"--{each.name.rstrip('_').replace('_', '-')}"
        if _marked(each, _POSITIONAL):
            room += math.inf if each.kind is Parameter.VAR_POSITIONAL else 1
        else:
            options |= {option: each} | ({f"--no-{option[2:]}": each} if each.annotation is bool else {})
    times, words, option = Counter[str](), dict[str, list[str]](), ""
    for argument in arguments:
        if argument.startswith("--"):
            option, equals, value = argument.partition("=")
            option = option.replace("_", "-")
            times[option] += 1
            words.setdefault(option, []).extend([value] if equals else [])
        else:
            words.setdefault(option, []).append(argument)
    left = room
    for option, given in words.items():
        if option and option not in options:
            continue
        flag = not option or options[option].annotation is bool
        left -= max(0, len(given) - (0 if flag else 1 if option == _ARMS else times[option]))
        # What follows an option and is none of its may be what the command takes without one.
        if left < 0 or (option == _ARMS and len(given) > 1):
            raise InputError(_meant(command, room, options.get(option), option, given))


def _meant(command: str, room: float, parameter: Parameter | None, option: str, given: list[str]) -> str:
    text = " ".join(given)
    if parameter is None:
        words = f"{room:g} word{'s' * (room != 1)}" if room else "no words"
        rule = f"{command} takes {words} beside its options, got {text!r}"
        return f"{rule}: leave out what is too much, and put in quotes what has spaces"
    if parameter.annotation is bool:
        name = option.removeprefix("--").removeprefix("no-")
        return f"{option} takes no value, got {text!r}: write --{name} or --no-{name} alone"
    if option == _ARMS:
        return f"{option} takes one list, got {text!r}: write {option} {_with_commas(given)}, with commas and no space"
    if _marked(parameter, _APPENDED):
        each = " ".join(f"{option} {shlex.quote(word)}" for word in given)
        return f"{option} takes one value at a time, got {text!r}: write {each}"
    return (
        f"{option} takes one value, got {text!r}: give one, or write {option} {shlex.quote(text)} if all of it is one"
    )


def _with_commas(words: Sequence[str]) -> str:
    """Words as one list: a comma between two, unless they are the parts of one arm."""
    text = words[0]
    for word in words[1:]:
        one = text.count("[") > text.count("]") or text[-1:] in "+," or word[:1] in "+,"
        text += word if one else f",{word}"
    return shlex.quote(text)


def _marked(parameter: Parameter, marker: object) -> bool:
    return marker in get_args(parameter.annotation)
