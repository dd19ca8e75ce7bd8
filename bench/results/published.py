"""What is published of a run beside its summary, for others to do their own statistics on: every training, and what the
figures rest on. No jax.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from bench.language.errors import InputError
from bench.results.results import Results
from bench.results.stored.records import TrainingRecord

TRAININGS, ABOUT = "trainings.parquet", "about.json"

_KINDS = {
    "seed": "int64", "diverged_at": "Int64", "active_units": "Int64", "verdict": "str", "because": "str",
    "kl_units": "object",
}  # fmt: skip


def trainings(results: Results) -> pd.DataFrame:
    """A row per training: which it is, and every figure of its record; of one that tunes on validation, else on "
    "test.
    """
    rows = [
        {"workload": row.cell.workload, "arm": row.cell.arm, "phase": phase, **asdict(training)}
        for row in results.stored
        for phase, own in (("tuning", row.record.tuning), ("reporting", row.record.trainings))
        for training in own
    ]
    names = [each.name for each in fields(TrainingRecord)]
    frame = pd.DataFrame(rows, columns=["workload", "arm", "phase", *names])
    kinds = {name: _KINDS.get(name, "float64") for name in names}
    return frame.astype({**dict.fromkeys(("workload", "arm", "phase"), "str"), **kinds})


def about(results: Results) -> dict[str, Any]:
    """What the figures rest on: the protocol, each workload's plateau and score, each arm's recipe, versions and
    machines.
    """
    records = [row.record for row in results.stored]
    devices = [asdict(record.device) for record in records if record.device]
    versions = [record.versions for record in records if record.versions]
    recipes: dict[str, dict[str, Any]] = {name: {} for name in results.plan.workloads}
    for row in results.stored:
        recipes[row.cell.workload][row.cell.arm] = row.record.recipe
    return {
        "suite": results.plan.suite,
        "command": results.plan.command,
        "protocol": list(results.plan.protocol.words),
        "workloads": {
            name: {"plateau": each.plateau, "score": asdict(each.score)}
            for name, each in results.plan.workloads.items()
        },
        "machines": _different(devices),
        "versions": _different(versions),
        "commits": sorted({record.commit for record in records if record.commit}),
        "recipes": recipes,
    }


@dataclass(frozen=True)
class Published:
    """A folder of tables, as a run or `results/reference` has them.

    Attributes:
        directory: The folder.
        summary: Its summary.csv, a row per arm and workload.
        trainings: Its trainings.parquet; None where it has none, as those of before have not.
        about: Its about.json; empty where it has none.
    """

    directory: Path
    summary: pd.DataFrame
    trainings: pd.DataFrame | None
    about: dict[str, Any]

    @classmethod
    def read(cls, directory: Path | str) -> "Published":
        """The tables of a folder.

        Raises:
            InputError: If there is no summary, or a file cannot be read.
        """
        folder = Path(directory)
        path = folder / "summary.csv"
        if not path.is_file():
            cure = (
                f"python -m bench report {folder} writes it" if (folder / "plan.json").is_file()
                else "give a folder that a run has written, as results/runs/quick, or one of results/reference"
            )  # fmt: skip
            raise InputError(f"{str(folder)!r} holds no summary.csv: {cure}")
        try:
            # An arm may be called as pandas calls a missing value.
            summary = pd.read_csv(path, keep_default_na=False, na_values=[""])
            missing = sorted({"workload", "arm", "status"} - set(summary))
            if missing:
                raise ValueError(f"it has no column {' and '.join(map(repr, missing))}")
            path = folder / TRAININGS
            every = pd.read_parquet(path) if path.is_file() else None
            path = folder / ABOUT
            about = json.loads(path.read_bytes()) if path.is_file() else {}
        except Exception as error:
            raise InputError(
                f"{str(path)!r} cannot be read "
                f"({str(error).strip().splitlines()[0] if str(error).strip() else error!r}): python -m bench report "
                f"{folder} writes it anew where the run's cells are there"
            ) from error
        return cls(folder, summary, every, about)


def _different(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [value for index, value in enumerate(values) if value not in values[:index]]
