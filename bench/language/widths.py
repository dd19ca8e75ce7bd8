"""The widths of a tower's hidden layers as a person types them: `500`, `128-64`, `128x16-32`.

>>> widths("128x3-64")
(128, 128, 128, 64)
"""

import re

from bench.language.errors import InputError

WIDTHS = re.compile(r"\d{1,6}(x\d{1,6})?(-\d{1,6}(x\d{1,6})?)*")
"""The form of widths: each a number of units, or that many layers of it after an x, a dash between two."""

# Beyond it nobody means a tower, and a typing error would take a machine down.
_MOST_LAYERS = 10_000


def widths(text: str) -> tuple[int, ...]:
    """The width of each hidden layer, from the input on.

    Raises:
        InputError: If it is not of that form, or a layer has no unit.
    """
    if not WIDTHS.fullmatch(text):
        raise InputError(f"widths must be like 500, 128-64 or 128x16, got {text!r}: units, x layers, a dash between")
    pairs = [(int(units), int(layers or 1)) for units, _, layers in (part.partition("x") for part in text.split("-"))]
    layers = sum(count for _, count in pairs)
    if min(min(pair) for pair in pairs) < 1 or layers > _MOST_LAYERS:
        raise InputError(f"widths {text!r} must name 1 to {_MOST_LAYERS:,} layers of at least 1 unit each")
    return tuple(units for units, count in pairs for _ in range(count))
