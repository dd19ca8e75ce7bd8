"""The grammar of arms and workloads, without jax: `[BASE] + REMEDY[a=1,b=[2,3]] + ...`.

>>> [str(arm) for arm in parse_arms("gelu, relu+rezero[alpha=[0,0.1]]", bases=("baseline",))]
['gelu', 'relu+rezero[alpha=0]', 'relu+rezero[alpha=0.1]']
>>> [str(arm) for arm in parse_arms("trainable+*", bases=("baseline", "trainable"), names=("gelu", "adam"))]
['trainable+gelu', 'trainable+adam']
>>> [str(term) for term in parse_term('autoencoder[data="my faces, cut.npy",widths=64]')]
['autoencoder[data="my faces, cut.npy",widths=64]']
"""

import itertools
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.language.errors import InputError
from bench.language.widths import WIDTHS

Value = bool | int | float | str
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
"""The form of the names of remedies, workloads, bases and parameters."""

_OPEN, _CLOSE, _QUOTE = "[", "]", '"'

# With a slash or an ending, and without what the grammar itself is made of.
_PATH = re.compile(r"""(?=.*[/.])[^\s\[\],+*="'\\]+""")

# From here on Python writes a float by its exponent.
_LARGE = 10**16


@dataclass(frozen=True)
class Term:
    """A name with parameters, as `rezero[alpha=0.1]`; 1, 1.0 and 1e0 are one number, the int."""

    name: str
    parameters: tuple[tuple[str, Value], ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "parameters", tuple((name, _plain(value)) for name, value in self.parameters))

    def __str__(self) -> str:
        inside = ",".join(f"{name}={typed(value)}" for name, value in self.parameters)
        return f"{self.name}[{inside}]" if inside else self.name


@dataclass(frozen=True)
class Arm:
    """A base with zero or more remedies; its text is shortest: the first base goes without saying."""

    base: str
    remedies: tuple[Term, ...]
    default_base: str

    def __str__(self) -> str:
        start = [] if self.remedies and self.base == self.default_base else [self.base]
        return "+".join([*start, *map(str, self.remedies)])


def parse_arms(text: str, bases: Sequence[str], names: Iterable[str] = ()) -> list[Arm]:
    """Every arm of a list separated by commas; a list value in an arm makes several of it, and so does a star.

    Args:
        text: As a person writes it; commas inside brackets do not separate.
        bases: The names of the bases, the default first.
        names: The names that a star stands for, one after another; without any, a star is not of the grammar.

    Raises:
        InputError: If an arm is empty, has a dangling plus, or is not of the grammar.
    """
    names = tuple(names)
    return [
        arm
        for part in _split(text, ",")
        for spelt in ([part.replace("*", name) for name in names] if names and "*" in part else [part])
        for arm in _parse_arm(spelt, bases)
    ]


def parse_workloads(text: str) -> list[str]:
    """Every workload of a list separated by commas; a list value in one makes several of it.

    Raises:
        InputError: If one is empty, or is not of the grammar.

    >>> parse_workloads("classify, digits-dense[depth=[2,8],width=16]")
    ['classify', 'digits-dense[depth=2,width=16]', 'digits-dense[depth=8,width=16]']
    """
    return list(dict.fromkeys(str(term) for part in _split(text, ",") for term in parse_term(part)))


def parse_term(text: str) -> list[Term]:
    """A name with parameters, or several where a value is a list.

    Raises:
        InputError: If it is not of that form.
    """
    text = text.strip()
    name, bracket, inside = text.partition(_OPEN)
    name = name.strip()
    if not NAME.fullmatch(name) or (bracket and not inside.endswith(_CLOSE)):
        raise InputError(f"{text!r} is no name with parameters: write it as name or name[a=1,b=2]")
    choices: dict[str, list[Value]] = {}
    for part in _split(inside[:-1], ",") if bracket else []:
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not NAME.fullmatch(key) or not value:
            raise InputError(f"{part.strip()!r} in {text!r} is no parameter: write it as name=value")
        if key in choices:
            raise InputError(f"parameter {key!r} is given twice in {text!r}: a list [1,2] sweeps over it")
        choices[key] = list(_values(value, text))
    return [Term(name, tuple(zip(choices, picked, strict=True))) for picked in itertools.product(*choices.values())]


def _parse_arm(text: str, bases: Sequence[str]) -> Iterator[Arm]:
    parts = _split(text, "+")
    if not text.strip():
        raise InputError("an arm is empty: write arms as baseline,gelu,gelu+rezero, each comma between two")
    if not all(part.strip() for part in parts):
        raise InputError(f"arm {text.strip()!r} has a dangling '+': join names as in gelu+rezero")
    for terms in itertools.product(*(parse_term(part) for part in parts)):
        base = terms[0].name if terms[0].name in bases else bases[0]
        remedies = terms[1:] if terms[0].name in bases else terms
        if terms[0].name in bases and terms[0].parameters:
            raise InputError(f"base {terms[0].name!r} takes no parameters, got {str(terms[0])!r}: a remedy does")
        for term in remedies:
            if term.name in bases:
                raise InputError(f"{term.name!r} in arm {text.strip()!r} is a base: put it first, and only one")
        yield Arm(base, tuple(remedies), bases[0])


def _split(text: str, separator: str) -> list[str]:
    """Split where the separator stands outside all brackets and quotes."""
    parts, depth, quoted, escaped = [""], 0, False, False
    for character in text:
        quoted ^= character == _QUOTE and not escaped
        escaped = quoted and character == "\\" and not escaped
        depth += 0 if quoted else {_OPEN: 1, _CLOSE: -1}.get(character, 0)
        if depth < 0:
            break
        if character == separator and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    if quoted:
        raise InputError(f"the quotes in {text.strip()!r} do not match: every '{_QUOTE}' needs another")
    if depth:
        raise InputError(f"the brackets in {text.strip()!r} do not match: every '[' needs a ']'")
    return parts


def _values(text: str, whole: str) -> Iterator[Value]:
    if text.startswith(_OPEN):
        members = _split(text[1:-1], ",") if text.endswith(_CLOSE) else [""]
        if not all(member.strip() and not member.strip().startswith(_OPEN) for member in members):
            raise InputError(
                f"the list {text!r} in {whole!r} has an empty member or a list in it: write it as [0.1,0.5]"
            )
        for member in members:
            yield from _values(member.strip(), whole)
        return
    value = _json(text)
    if isinstance(value, float) and not _is_finite(value):
        raise InputError(f"{text!r} in {whole!r} is not finite: give a finite number")
    quoted = text.startswith(_QUOTE) and value != text
    if quoted and isinstance(value, str) and value and value.isprintable():
        # Quotes make one word of what they hold, and mean nothing else.
        inside = _json(value)
        yield inside if isinstance(inside, bool | int | float) and _is_finite(inside) else value
    elif isinstance(value, bool | int | float) or (isinstance(value, str) and _is_plain(value)):
        yield value
    else:
        raise InputError(
            f"{text!r} in {whole!r} is no value: give a number, true, false, a name, widths as 128x3-64, or a path, in "
            "double quotes where it has spaces or any of []+,*="
        )


def _is_finite(value: float) -> bool:
    return abs(value) < float("inf")


def _is_plain(text: str) -> bool:
    """Whether it is a value without quotes around it."""
    return any(form.fullmatch(text) for form in (NAME, WIDTHS, _PATH))


def _json(text: str) -> Any:
    """A text as JSON, or itself where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        # Not only what is no JSON: Python reads no number of more than some thousand digits.
        return text


def _plain(value: Value) -> Value:
    """A whole number as an int, so that -0.0 is 0; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def typed(value: Value) -> str:
    """A value as a person types it.

    >>> typed(False), typed(0.1), typed("64x9"), typed("my faces.npy")
    ('false', '0.1', '64x9', '"my faces.npy"')
    """
    if isinstance(value, str):
        # A width alone is one, whatever it reads as; of other words a number, or null, would not come back.
        plain = _is_plain(value) and isinstance(_json(value), str | int)
        return value if plain else json.dumps(value, ensure_ascii=False)
    # A large number by its exponent, where that is the same number.
    by_exponent = _LARGE <= abs(value) <= sys.float_info.max and float(value) == value
    return json.dumps(float(value) if by_exponent else value)
