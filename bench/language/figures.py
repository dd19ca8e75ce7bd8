"""Numbers as a person reads them: in the terminal, in summary.md and on the page alike."""

import math
from collections.abc import Mapping, Sequence


def significant(value: float | None) -> str:
    """A figure of any magnitude, to two digits: 0.24, 2.0, 3.3e-05; empty where there is none.

    >>> significant(0.0000331), significant(2), significant(0), significant(None)
    ('3.3e-05', '2.0', '0', '')
    """
    if value is None or math.isnan(value):
        return ""
    if value == 0:
        return "0"
    return f"{value:.1e}" if abs(value) < 1e-3 or abs(value) >= 1e3 else f"{value:#.2g}".rstrip(".")


def thousands(value: float | None, unit: str = "") -> str:
    """A count to three digits, with its unit: 950, 12.3k/s, 1.2M; empty where there is none.

    >>> thousands(12345, "/s"), thousands(950), thousands(186000), thousands(1200000)
    ('12.3k/s', '950', '186k', '1.2M')
    """
    if value is None or math.isnan(value):
        return ""
    scale, letter = (
        (1e9, "G")
        if value >= 999_500_000
        else (1e6, "M")
        if value >= 999_500
        else (1e3, "k")
        if value >= 999.5
        else (1, "")
    )
    scaled = value / scale
    return f"{scaled:.0f}{letter}{unit}" if scaled >= 100 or scale == 1 else f"{scaled:.3g}{letter}{unit}"


def fixed(value: float | None, decimals: int = 2, unit: str = "") -> str:
    """A figure with fixed decimals and its unit; empty where there is none."""
    # Plus zero: rounding leaves the sign of -0.001 on its zero.
    return "" if value is None or math.isnan(value) else f"{round(value, decimals) + 0.0:.{decimals}f}{unit}"


def figure(value: float | None) -> str:
    """A score with as many decimals as show it; empty where there is none.

    >>> figure(27.2085), figure(0.07919), figure(None)
    ('27.21', '0.0792', '')
    """
    return fixed(value, 2 if value is None or math.isnan(value) else decimals(value))


def decimals(value: float) -> int:
    """How many decimals show a figure: two, or of one below 0.1 as many as give it three digits.

    >>> decimals(27.2), decimals(0.0792), decimals(0.0)
    (2, 4, 2)
    """
    small = 0 < abs(value) < 0.1
    return 2 + math.ceil(-math.log10(abs(value))) if small else 2


def rates_words(rates: Mapping[str, Sequence[float]]) -> str:
    """The rates that a remedy is tuned over, given those on each base: its own where they are the same on all.

    >>> rates_words({"baseline": [1e-4, 1e-3, 1e-2], "trainable": [1e-4, 1e-3, 1e-2]})
    '0.0001 to 0.01'
    >>> rates_words({"baseline": [1e-2, 1e-1], "trainable": [1e-4, 1e-3]}), rates_words({})
    ("the base's", "the base's")
    """
    own = next(iter(rates.values()), None)
    return f"{own[0]:g} to {own[-1]:g}" if own and all(each == own for each in rates.values()) else "the base's"
