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


Panels = dict[str, list[str]]


def panels(summary: pd.DataFrame, drawn: Container[str]) -> Panels:
    """The arms that have been trained, by family: a title and the arms of each panel, without the reference.

    Compositions go together, small families share a panel, and a large one is split.

    Args:
        summary: One workload's rows.
        drawn: The arms that there is something to draw of; a panel without any is left out.
    """
    found = {title: [arm for arm in arms if arm in drawn] for title, arms in _families(summary).items()}
    return {title: arms for title, arms in found.items() if arms or (title == REFERENCE and REFERENCE in drawn)}


def _families(summary: pd.DataFrame) -> Panels:
    trained = summary.loc[summary["seeds"].fillna(0) > 0]
    families: dict[str, list[str]] = {}
    for arm, family in zip(trained["arm"], trained["family"], strict=True):
        if arm != REFERENCE:
            families.setdefault(_title(family), []).append(arm)
    if not families and len(trained):
        return {REFERENCE: []}
    joined: Panels = {}
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


def styles(arms: list[str]) -> dict[str, Style]:
    """A style for each arm of a panel and for the reference."""
    own = [arm for arm in arms if arm != REFERENCE]
    looks = itertools.cycle(zip(COLOURS, MARKERS, strict=True))
    told = {arm: Style(colour, marker) for arm, (colour, marker) in zip(own, looks, strict=False)}
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
