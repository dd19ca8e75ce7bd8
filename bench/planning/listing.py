"""The names there are, as data: remedies, workloads, suites and instruments."""

import contextlib
from collections.abc import Sequence
from typing import Any

from bench.language.arms import typed
from bench.language.errors import InputError, unknown
from bench.language.figures import rates_words
from bench.planning.catalogue import Catalogue
from bench.planning.compose import build_workload, conflicts
from bench.planning.protocol import Protocol
from bench.plugins.remedy import FAMILIES, NotApplicable, Remedy
from bench.plugins.workload import Workload

# On whose bases a remedy's own scale of rates is read off.
_WORKLOAD = "digits-dense"

_HEAD = """# Remedies

{count} remedies in {families} families, each a plugin of a few lines in `bench/remedies/`, in every arm of
`python -m bench run --arms`. This page is made by `python -m bench list remedies --markdown > REMEDIES.md`; what a
remedy changes, and with which it cannot be combined, is told by `python -m bench list remedies NAME`. Rates are the
{rates} that are tuned over, from the lowest to the highest; one without a scale of its own takes its base's.
"""


def list_entries(catalogue: Catalogue, what: str, family: str | None = None) -> list[dict[str, Any]]:
    """One row for each thing that has a name.

    Args:
        catalogue: What has been found.
        what: remedies, workloads, suites or instruments.
        family: Of remedies, those of this family alone.

    Raises:
        InputError: If there is no such family.
    """
    if family is not None and what != "remedies":
        raise InputError(f"--family {family!r} chooses among remedies, and {what} have none: leave it out")
    if family is not None and family not in FAMILIES:
        raise unknown("family", family, FAMILIES)
    if what == "remedies":
        bases = _bases(catalogue)
        return [_remedy(each, bases) for each in catalogue.remedies.values() if family in (None, each.family)]
    return {"workloads": _workloads, "suites": _suites, "instruments": _instruments}[what](catalogue)


def remedy_entry(catalogue: Catalogue, name: str) -> dict[str, Any]:
    """One remedy in full: also what it changes on each base, and with which others it cannot be combined.

    Args:
        catalogue: What has been found.
        name: Of the remedy.

    Raises:
        InputError: If there is none of that name.
    """
    if name not in catalogue.remedies:
        raise unknown("remedy", name, catalogue.remedies, "python -m bench list remedies")
    remedy, bases = catalogue.remedies[name], _bases(catalogue)
    changes: dict[str, Any] = {}
    for base, recipe in bases.bases.items():
        try:
            changed = remedy(recipe)
        except NotApplicable as unfit:
            changes[base] = str(unfit)
            continue
        before, after = recipe.describe(), changed.describe()
        changes[base] = {slot: [before[slot], after[slot]] for slot in changed.changes(recipe)}
    return {
        **_remedy(remedy, bases),
        "idle": dict(remedy.idle),
        "changes": changes,
        "conflicts": conflicts(catalogue, bases, name, next(iter(bases.bases))),
        "place": remedy.location,
    }


def remedies_markdown(entries: Sequence[dict[str, Any]]) -> str:
    """The catalogue of remedies as a page, a table for each family.

    Args:
        entries: From `list_entries`.
    """
    families = [family for family in FAMILIES if any(entry["family"] == family for entry in entries)]
    lines = [_HEAD.format(count=len(entries), families=len(families), rates=Protocol(steps=1).rates)]
    for family in families:
        own = [entry for entry in entries if entry["family"] == family]
        lines += [f"## {family.capitalize() if family != 'kl' else 'KL'} ({len(own)})", ""]
        lines += ["| remedy | what it does to the gradient | parameters | rates | source |", "|:--|:--|:--|:--|:--|"]
        for entry in own:
            parameters = ", ".join(f"{name}={typed(value)}" for name, value in entry["parameters"].items())
            cells = (
                f"`{entry['name']}`",
                " ".join(entry["mechanism"].split("\n\n")[0].split()),
                parameters,
                rates_words(entry["rates"]),
                entry["source"],
            )
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        lines.append("")
    return "\n".join(lines)


def _bases(catalogue: Catalogue) -> Workload:
    return build_workload(catalogue, _WORKLOAD)[1]


def _remedy(remedy: Remedy, workload: Workload) -> dict[str, Any]:
    rates: dict[str, list[float]] = {}
    for base, recipe in workload.bases.items():
        with contextlib.suppress(NotApplicable):
            rates[base] = Protocol(steps=1).learning_rates(remedy(recipe).learning_rate)
    return {
        "name": remedy.name,
        "family": remedy.family,
        "mechanism": remedy.mechanism,
        "parameters": {name: parameter.default for name, parameter in remedy.parameters.items()},
        "rates": rates,
        "source": remedy.source,
    }


def _workloads(catalogue: Catalogue) -> list[dict[str, Any]]:
    entries = []
    for kind in catalogue.workloads.values():
        _, built = build_workload(catalogue, kind.name)
        data = built.data()
        entries.append(
            {
                "name": kind.name,
                "score": f"{built.score.name}, {built.score.unit}",
                "plateau": round(built.plateau(data, data.test), 4),
                "bases": list(built.bases),
                "parameters": {name: parameter.default for name, parameter in kind.parameters.items()},
                "description": kind.description,
            }
        )
    return entries


def _suites(catalogue: Catalogue) -> list[dict[str, Any]]:
    return [
        {"name": name, "workload": suite.workload, "arms": list(suite.arms), "description": description}
        for name, (suite, description) in catalogue.suites.items()
    ]


def _instruments(catalogue: Catalogue) -> list[dict[str, Any]]:
    return [
        {"name": instrument.name, "description": instrument.description}
        for instrument in catalogue.instruments.values()
    ]
