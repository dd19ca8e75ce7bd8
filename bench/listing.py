"""What can be named, as data: remedies, workloads, suites and instruments."""

from typing import Any

from bench.catalogue import Catalogue
from bench.compose import build_workload


def list_entries(catalogue: Catalogue, what: str) -> list[dict[str, Any]]:
    """One row for each thing that has a name.

    Args:
        catalogue: What has been found.
        what: remedies, workloads, suites or instruments.
    """
    return {"remedies": _remedies, "workloads": _workloads, "suites": _suites, "instruments": _instruments}[what](
        catalogue
    )


def _remedies(catalogue: Catalogue) -> list[dict[str, Any]]:
    return [
        {
            "name": remedy.name,
            "family": remedy.family,
            "parameters": {name: parameter.default for name, parameter in remedy.parameters.items()},
            "mechanism": " ".join(remedy.mechanism.split()),
            "source": remedy.source,
        }
        for remedy in catalogue.remedies.values()
    ]


def _workloads(catalogue: Catalogue) -> list[dict[str, Any]]:
    entries = []
    for kind in catalogue.workloads.values():
        _, built = build_workload(catalogue, kind.name)
        data = built.data()
        entries.append(
            {
                "name": kind.name,
                "plateau_nats": round(built.plateau(data, data.test), 4),
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
