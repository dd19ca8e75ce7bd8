"""Which arms share a panel, and how a panel's arms are told apart."""

import itertools
import textwrap
from collections.abc import Container
from typing import NamedTuple

import pandas as pd

REFERENCE = "baseline"
"""The arm that every panel shows, for comparison."""

FULL = 6
"""Most arms in one panel beside the reference: as many as there are colours that everyone can tell apart."""

TITLE_WIDTH = 40
"""Characters of a title, in bold of 9.5 points, that stand beside each other over a panel's axes."""

TITLE_LINE = 0.16
"""Inches that each further line of a title takes."""

# Okabe & Ito's palette without yellow, which vanishes on white, and without black, which is the plateau's.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
REFERENCE_COLOUR = "#7a7a7a"


class Style(NamedTuple):
    """How an arm is drawn: told apart by colour and, without colour, by marker."""

    colour: str
    marker: str


Looks = dict[str, Style]
"""By arm, in the order in which they are drawn: the reference first."""


def panels(summary: pd.DataFrame, drawn: Container[str]) -> dict[str, Looks]:
    """The arms that have been trained, by family: the looks of each panel by its title.

    Compositions go together, small families share a panel, and a large one is split. An arm looks the same in all plots
    of a suite, whichever of its neighbours there is something to draw of.

    Args:
        summary: One workload's rows.
        drawn: The arms that there is something to draw of; a panel without any is left out.
    """
    found = {
        title: {arm: style for arm, style in _styles(arms).items() if arm in drawn}
        for title, arms in _families(summary).items()
    }
    return {
        title: looks for title, looks in found.items() if looks.keys() - {REFERENCE} or (title == REFERENCE and looks)
    }


def _families(summary: pd.DataFrame) -> dict[str, list[str]]:
    trained = summary.loc[summary["seeds"].fillna(0) > 0]
    families: dict[str, list[str]] = {}
    for arm, family in zip(trained["arm"], trained["family"], strict=True):
        if arm != REFERENCE:
            families.setdefault(_title(family), []).append(arm)
    if not families and len(trained):
        return {REFERENCE: []}
    joined: dict[str, list[str]] = {}
    open_title = ""
    # Stable: families stay in the order of the plan, small ones after large ones, compositions last.
    for title, arms in sorted(families.items(), key=lambda item: (item[0] == "compositions", len(item[1]) <= 2)):
        small = len(arms) <= 2 and title != "compositions"
        if small and open_title and len(joined[open_title]) + len(arms) <= FULL:
            together = joined.pop(open_title) + arms
            open_title = f"{open_title}, {title}"
            joined[open_title] = together
        else:
            joined[title] = arms
            open_title = title if small else ""
    return {part: arms for title, arms in joined.items() for part, arms in _split(title, arms)}


def fold_title(title: str) -> str:
    """A panel's title on as many lines as its width takes, broken between words."""
    return textwrap.fill(title, TITLE_WIDTH)


def title_lines(title: str) -> int:
    """How many lines a title has beyond its first."""
    return fold_title(title).count("\n")


def _styles(arms: list[str]) -> Looks:
    """A style for the reference and for each arm of a whole panel."""
    looks = itertools.cycle(zip(COLOURS, MARKERS, strict=True))
    told = {arm: Style(colour, marker) for arm, (colour, marker) in zip(arms, looks, strict=False)}
    return {REFERENCE: Style(REFERENCE_COLOUR, ""), **told}


def _title(family: str) -> str:
    return "compositions" if "+" in family or "," in family or family.startswith("composition") else family or "other"


def _split(title: str, arms: list[str]) -> list[tuple[str, list[str]]]:
    parts = -(-len(arms) // FULL)
    size = -(-len(arms) // parts)
    return [
        (title if parts == 1 else f"{title} ({part + 1} of {parts})", arms[part * size : (part + 1) * size])
        for part in range(parts)
    ]
